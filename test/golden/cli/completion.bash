# bash completion of fibric
_fibric() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local path='' candidates='' values='' takes_value='' word index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    case "${path:+$path }$word" in
      'plans' | 'plans list' | 'shell' | 'validate') path="${path:+$path }$word" ;;
      *) break ;;
    esac
  done
  case "$path $previous" in
    'validate --format') values='human sarif'; takes_value=1 ;;
  esac
  if [ -n "$takes_value" ]; then
    if [ -n "$values" ]; then COMPREPLY=($(compgen -W "$values" -- "$current"))
    else COMPREPLY=($(compgen -f -- "$current")); fi
    return
  fi
  case "$path" in
    '') candidates='plans shell validate --version --help' ;;
    'plans') candidates='list --help' ;;
    'plans list') candidates='--json --help' ;;
    'shell') candidates='bash zsh --json --help' ;;
    'validate') candidates='--format --json --help' ;;
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
  case "$path" in
    'validate') case "$current" in -*) ;; *) COMPREPLY+=($(compgen -f -- "$current")) ;; esac ;;
  esac
}
complete -o filenames -F _fibric fibric
