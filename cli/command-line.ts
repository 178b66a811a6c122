/** What is asked for by one command line, before any flag of a command is looked at. */
export type Request =
  | { readonly ask: 'run'; readonly id: string; readonly argv: readonly string[] }
  | { readonly ask: 'help'; readonly id: string | null }
  | { readonly ask: 'unknown'; readonly words: readonly string[]; readonly topic: string | null }
  | { readonly ask: 'flag'; readonly flag: string }

/**
 * Finds the command in a command line: the longest run of leading words that is one (`plans show`), as oclif's own
 * dispatch would, which answers the help of a topic and exit code 0 to a word that the topic does not have.
 *
 * `ids` are the commands as oclif names them: `plans:show`.
 */
export function readCommandLine(argv: readonly string[], ids: readonly string[]): Request {
  const help = asksForHelp(argv)
  const rest = argv.filter((word, index) => !(help && index === 0 && word === 'help'))
  // `fibric --json validate` means `fibric validate --json`.
  const leading = rest.findIndex((word) => word !== '--json')
  const moved = leading > 0 ? [...rest.slice(leading), ...rest.slice(0, leading)] : rest
  const end = moved.findIndex((word) => word.startsWith('-'))
  const words = end === -1 ? moved : moved.slice(0, end)
  for (let length = words.length; length > 0; length--) {
    const id = words.slice(0, length).join(':')
    if (ids.includes(id)) return help ? { ask: 'help', id } : { ask: 'run', id, argv: moved.slice(length) }
    if (help && length === words.length && isTopic(id, ids)) return { ask: 'help', id }
  }
  if (words.length > 0) {
    const topic = words[0]!
    return { ask: 'unknown', words, topic: isTopic(topic, ids) ? topic : null }
  }
  const flag = moved.find((word) => word !== '--json' && !isHelpFlag(word))
  return help || flag === undefined ? { ask: 'help', id: null } : { ask: 'flag', flag }
}

/** Whether `--json` was given, before anything else is known: even a wrong flag is then answered as JSON. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  const flags = argv.slice(0, end === -1 ? undefined : end)
  return flags.some(
    (flag, index) =>
      flag === '--json' || flag === '--format=json' || (flag === 'json' && flags[index - 1] === '--format'),
  )
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv[0] === 'help' || argv.slice(0, end === -1 ? undefined : end).some(isHelpFlag)
}

function isHelpFlag(word: string): boolean {
  return word === '--help' || word === '-h'
}

function isTopic(id: string, ids: readonly string[]): boolean {
  return ids.some((other) => other.startsWith(`${id}:`))
}
