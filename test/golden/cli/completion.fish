# fish completion of fibric
function __fibric_at
  set -l path
  for word in (commandline -opc)[2..-1]
    set -l next (string join ' ' $path $word)
    contains -- $next 'plans' 'plans list' 'shell' 'validate'; or break
    set path $next
  end
  test "$path" = "$argv[1]"
end
complete -c fibric -f
complete -c fibric -s h -l help -d 'show help'
complete -c fibric -n "__fibric_at ''" -l version -d 'print the version'
complete -c fibric -n "__fibric_at ''" -a 'plans' -d 'what waits'
complete -c fibric -n "__fibric_at ''" -a 'shell' -d 'print a script'
complete -c fibric -n "__fibric_at ''" -a 'validate' -d 'report every problem'
complete -c fibric -n "__fibric_at 'plans'" -a 'list' -d 'list them'
complete -c fibric -n "__fibric_at 'plans list'" -l json -d 'print JSON'
complete -c fibric -n "__fibric_at 'shell'" -a 'bash zsh'
complete -c fibric -n "__fibric_at 'shell'" -l json -d 'print JSON'
complete -c fibric -n "__fibric_at 'validate'" -F
complete -c fibric -n "__fibric_at 'validate'" -s f -l format -x -a 'human sarif' -d 'how'
complete -c fibric -n "__fibric_at 'validate'" -l json -d 'print JSON'
