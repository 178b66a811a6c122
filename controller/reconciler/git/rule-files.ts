import { type AttributeName, type Attributes, attributeNames } from './git-objects.ts'
import { type PathPattern, parsePattern } from './path-patterns.ts'

/** One `.gitignore` or `.gitattributes`, and the folder its patterns are relative to. */
export interface RuleFile {
  readonly folder: string
  readonly text: string
}

export type IgnoreRule = (path: string, isDirectory: boolean) => boolean | null

/** What one file says about a path: ignored, not ignored after all, or nothing. The strongest file that speaks decides. */
export function ignoreRule({ folder, text }: RuleFile): IgnoreRule {
  const patterns = lines(text)
    .map(parsePattern)
    .filter((pattern) => pattern !== null)
  return (path, isDirectory) => {
    const below = pathIn(folder, path)
    if (below === null) return null
    const last = patterns.findLast((pattern) => (isDirectory || !pattern.directoryOnly) && pattern.matches(below))
    return last === undefined ? null : !last.negated
  }
}

/** Attributes of paths; files from the weakest to the strongest. Macros may be defined where git reads them. */
export function attributeRules(files: readonly RuleFile[]): (path: string) => Attributes {
  const macros = new Map<string, readonly string[]>([['binary', ['-diff', '-merge', '-text']]])
  const rules: { folder: string; pattern: PathPattern; words: string[] }[] = []
  for (const { folder, text } of files) {
    for (const line of lines(text)) {
      const [, quoted, bare, rest] = /^\s*(?:"((?:\\.|[^"\\])*)"|(\S+))(.*)$/.exec(line) ?? []
      if (rest === undefined) continue
      const words = rest.split(/\s+/).filter(Boolean)
      if (folder === '' && bare?.startsWith('[attr]')) macros.set(bare.slice('[attr]'.length), words)
      const pattern = parsePattern(quoted === undefined ? bare! : quoted.replace(/\\(["\\])/g, '$1'))
      // Negative patterns are forbidden here, and one for folders matches no file.
      if (pattern !== null && !pattern.negated && !pattern.directoryOnly) rules.push({ folder, pattern, words })
    }
  }
  return (path) => {
    const found = new Map<string, boolean | string | undefined>()
    for (const { folder, pattern, words } of rules) {
      const below = pathIn(folder, path)
      if (below !== null && pattern.matches(below)) for (const word of words) assign(found, word, macros, 0)
    }
    const attributes: { [name in AttributeName]?: boolean | string } = {}
    for (const name of attributeNames) {
      const value = found.get(name)
      if (value !== undefined) attributes[name] = value
    }
    return attributes
  }
}

const macroDepthMax = 8

function assign(
  found: Map<string, boolean | string | undefined>,
  word: string,
  macros: ReadonlyMap<string, readonly string[]>,
  depth: number,
): void {
  const [, sign, name, value] = /^([-!]?)([^=]+)(?:=(.*))?$/.exec(word) ?? []
  if (name === undefined) return
  found.set(name, sign === '!' ? undefined : sign === '-' ? false : (value ?? true))
  if (sign !== '' || depth === macroDepthMax) return
  for (const implied of macros.get(name) ?? []) assign(found, implied, macros, depth + 1)
}

function lines(text: string): string[] {
  return text
    .replace(/^\ufeff/, '')
    .split('\n')
    .filter((line) => !/^#|^\s*$/.test(line))
}

function pathIn(folder: string, path: string): string | null {
  if (folder === '') return path
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : null
}
