import type { Completion } from './completions.ts'

/** Bash 3.2 and newer, which is what macOS has. */
export function bashScript(completions: readonly Completion[]): string {
  const cases = completions.map(({ path, words, flags, values }) => {
    const candidates = [
      ...words.map(({ word }) => word),
      ...values,
      ...flags.map(({ name }) => `--${name}`),
      ...(path === '' ? ['--version'] : []),
      '--help',
    ]
    return `    '${path}') candidates='${candidates.join(' ')}' ;;`
  })
  const flagCases = completions.flatMap(({ path, flags }) =>
    flags
      .filter(({ takesValue }) => takesValue)
      .map(({ name, values }) => `    '${path} --${name}') values='${values.join(' ')}'; takes_value=1 ;;`),
  )
  return `# bash completion of fibric
_fibric() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local path='' candidates='' values='' takes_value='' word index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case "\${path:+$path }$word" in
${paths(completions)}
      *) break ;;
    esac
  done
  case "$path $previous" in
${flagCases.join('\n')}
  esac
  if [ -n "$takes_value" ]; then
    if [ -n "$values" ]; then COMPREPLY=($(compgen -W "$values" -- "$current"))
    else COMPREPLY=($(compgen -f -- "$current")); fi
    return
  fi
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
  case "$path" in
${filesCase(completions)}
  esac
}
complete -o filenames -F _fibric fibric
`
}

function paths(completions: readonly Completion[]): string {
  const known = completions.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`)
  return `      ${known.join(' | ')}) path="\${path:+$path }$word" ;;`
}

function filesCase(completions: readonly Completion[]): string {
  const withFiles = completions.filter(({ files }) => files).map(({ path }) => `'${path}'`)
  if (withFiles.length === 0) return '    *) ;;'
  return `    ${withFiles.join(' | ')}) case "$current" in -*) ;; *) COMPREPLY+=($(compgen -f -- "$current")) ;; esac ;;`
}
