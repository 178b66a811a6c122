import type { Command, Config } from '@oclif/core'

/** What can be typed after some words: `plans` is followed by `list`, `plans list` by its flags. */
export interface Completion {
  /** Words so far, without the program: `''`, `plans`, `plans list`. */
  readonly path: string
  readonly words: readonly CompletedWord[]
  readonly flags: readonly CompletedFlag[]
  /** Values of the first argument, where they are a closed list. */
  readonly values: readonly string[]
  /** The first argument is a folder or a file. */
  readonly files: boolean
}

export interface CompletedWord {
  readonly word: string
  readonly summary: string
}

export interface CompletedFlag {
  readonly name: string
  readonly char: string | null
  readonly summary: string
  readonly takesValue: boolean
  readonly values: readonly string[]
}

/** Every place in the tree of commands, from what oclif knows of them without loading one. */
export function completionsOf({ commands }: Pick<Config, 'commands'>): Completion[] {
  const visible = commands.filter(({ hidden }) => !hidden).toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const paths = new Set<string>([''])
  for (const { id } of visible) {
    const parts = id.split(':')
    parts.forEach((_, index) => {
      paths.add(parts.slice(0, index + 1).join(' '))
    })
  }
  return [...paths].sort().map((path) => {
    const command = visible.find(({ id }) => id.replaceAll(':', ' ') === path)
    const [first] = Object.values(command?.args ?? {})
    return {
      path,
      words: wordsBelow(path, visible),
      flags: Object.values(command?.flags ?? {})
        .filter(({ hidden }) => !hidden)
        .map(completedFlag),
      values: first?.options ?? [],
      files: first !== undefined && first.options === undefined && /^(dir|path|source)|file/i.test(first.name),
    }
  })
}

function wordsBelow(path: string, commands: readonly Command.Loadable[]): CompletedWord[] {
  const depth = path === '' ? 0 : path.split(' ').length
  const words = new Map<string, string>()
  for (const { id, summary } of commands) {
    const parts = id.split(':')
    const word = parts[depth]
    if (word === undefined || parts.slice(0, depth).join(' ') !== path) continue
    if (parts.length === depth + 1) words.set(word, plain(summary))
    else if (!words.has(word)) words.set(word, '')
  }
  return [...words].map(([word, summary]) => ({ word, summary }))
}

type CachedFlag = Command.Loadable['flags'][string]

function completedFlag(flag: CachedFlag): CompletedFlag {
  return {
    name: flag.name,
    char: flag.char ?? null,
    summary: plain(flag.summary ?? flag.description),
    takesValue: flag.type === 'option',
    values: flag.type === 'option' ? (flag.options ?? []) : [],
  }
}

/** One line without the punctuation that shells and their completion systems read something into. */
function plain(text: string | undefined): string {
  const [line = ''] = (text ?? '').split('\n')
  return line.replaceAll(/['"`\\$:[\]]/g, '').replace(/\.$/, '')
}
