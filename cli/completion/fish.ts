import type { CompletedFlag, Completion } from './completions.ts'

export function fishScript(completions: readonly Completion[]): string {
  const known = completions.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`)
  const lines = [
    '# fish completion of fibric',
    // The longest run of words that is a command is where we are; what follows are its arguments.
    'function __fibric_at',
    '  set -l path',
    '  for word in (commandline -opc)[2..-1]',
    "    set -l next (string join ' ' $path $word)",
    `    contains -- $next ${known.join(' ')}; or break`,
    '    set path $next',
    '  end',
    '  test "$path" = "$argv[1]"',
    'end',
    'complete -c fibric -f',
    "complete -c fibric -s h -l help -d 'show help'",
    "complete -c fibric -n \"__fibric_at ''\" -l version -d 'print the version'",
  ]
  for (const { path, words, flags, values, files } of completions) {
    const at = `complete -c fibric -n "__fibric_at '${path}'"`
    for (const { word, summary } of words) lines.push(`${at} -a '${word}'${summary === '' ? '' : ` -d '${summary}'`}`)
    if (values.length > 0) lines.push(`${at} -a '${values.join(' ')}'`)
    if (files) lines.push(`${at} -F`)
    for (const flag of flags) lines.push(`${at} ${flagOptions(flag)}`)
  }
  return `${lines.join('\n')}\n`
}

function flagOptions({ name, char, summary, takesValue, values }: CompletedFlag): string {
  const short = char === null ? '' : `-s ${char} `
  const value = takesValue ? (values.length > 0 ? ` -x -a '${values.join(' ')}'` : ' -r -F') : ''
  return `${short}-l ${name}${value} -d '${summary}'`
}
