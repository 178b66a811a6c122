#compdef fibric
# zsh completion of fibric
_fibric() {
  local -a commands; commands=('plans:what waits' 'shell:print a script' 'validate:report every problem')
  local context state line
  _arguments -C '(-h --help)'{-h,--help}'[show help]' '--version[print the version]' '1: :->word' '*:: :->rest'
  case $state in
    word) _describe 'command' commands ;;
    rest) case $words[1] in
      plans) _fibric_plans ;;
      shell) _fibric_shell ;;
      validate) _fibric_validate ;;
    esac ;;
  esac
}
_fibric_plans() {
  local -a commands; commands=('list:list them')
  local context state line
  _arguments -C '(-h --help)'{-h,--help}'[show help]' '1: :->word' '*:: :->rest'
  case $state in
    word) _describe 'command' commands ;;
    rest) case $words[1] in
      list) _fibric_plans_list ;;
    esac ;;
  esac
}
_fibric_plans_list() {
  _arguments '(-h --help)'{-h,--help}'[show help]' '--json[print JSON]' '*: :'
}
_fibric_shell() {
  _arguments '(-h --help)'{-h,--help}'[show help]' '--json[print JSON]' '1: :(bash zsh)'
}
_fibric_validate() {
  _arguments '(-h --help)'{-h,--help}'[show help]' {-f,--format}'[how]:value:(human sarif)' '--json[print JSON]' '*: :_files'
}
(( $+functions[compdef] )) && compdef _fibric fibric
