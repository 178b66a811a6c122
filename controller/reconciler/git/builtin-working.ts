import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { FoundRepository } from './discover.ts'
import type { Attributes, TrackedFile, WorkingFiles } from './git-objects.ts'
import { parseIndex } from './index-file.ts'
import { readIfThere, readPersonRules } from './person-files.ts'
import { attributeRules, type IgnoreRule, ignoreRule, type RuleFile } from './rule-files.ts'

type Settings = ReadonlyMap<string, string>

/** The working tree as git sees it, without git: index, ignore rules, attributes. */
export function listWorking(place: FoundRepository, settings: Settings, prefix: string): WorkingFiles {
  const index = readIndex(place)
  const tracked = index.filter(({ path }) => isBelow(path, prefix))
  const untracked: string[] = []
  const knownFiles = new Set(index.map(({ path }) => path))
  const knownFolders = new Set(index.flatMap(({ path }) => parents(path)))
  const rules = parents(`${prefix}/x`).reduce<IgnoreRule[]>(
    (above, folder) => withFolder(place, folder, above),
    baseRules(place, settings),
  )
  if (!isIgnoredAbove(place, settings, prefix)) walk(prefix, rules)
  return { tracked, untracked }

  function walk(folder: string, applying: readonly IgnoreRule[]): void {
    const onDisk = join(place.workTree!, folder)
    const stats = lstatSync(onDisk, { throwIfNoEntry: false })
    if (!stats?.isDirectory()) return
    for (const child of readdirSync(onDisk, { withFileTypes: true })) {
      if (child.name === '.git') continue
      const path = folder === '' ? child.name : `${folder}/${child.name}`
      if (child.isDirectory()) {
        // Tracked files below an ignored folder are tracked; new ones there are not seen.
        if (isIgnored(applying, path, true)) continue
        const nested = existsSync(join(onDisk, child.name, '.git'))
        if (nested && !knownFolders.has(path)) {
          if (!knownFiles.has(path)) untracked.push(`${path}/`)
        } else walk(path, withFolder(place, path, applying))
      } else if ((child.isFile() || child.isSymbolicLink()) && !knownFiles.has(path)) {
        if (!isIgnored(applying, path, false)) untracked.push(path)
      }
    }
  }
}

export function isIgnoredDirectory(place: FoundRepository, settings: Settings, prefix: string): boolean {
  return isIgnoredAbove(place, settings, prefix) && !readIndex(place).some(({ path }) => isBelow(path, prefix))
}

export function readAttributes(
  place: FoundRepository,
  settings: Settings,
  paths: readonly string[],
): Map<string, Attributes> {
  const folders = [...new Set(['', ...paths.flatMap(parents)])].sort(
    (a, b) => a.split('/').length - b.split('/').length,
  )
  const files: RuleFile[] = [
    { folder: '', text: readPersonRules('attributes', settings.get('core.attributesfile')) ?? '' },
    ...folders.map((folder) => ({ folder, text: readRuleFile(place, folder, '.gitattributes') })),
    { folder: '', text: readIfThere(join(place.commonDir, 'info', 'attributes')) ?? '' },
  ]
  const attributesOf = attributeRules(files.filter(({ text }) => text !== ''))
  return new Map(paths.map((path) => [path, attributesOf(path)]))
}

function readIndex(place: FoundRepository): TrackedFile[] {
  const file = join(place.gitDir, 'index')
  return existsSync(file) ? parseIndex(readFileSync(file)) : []
}

function baseRules(place: FoundRepository, settings: Settings): IgnoreRule[] {
  const texts = [
    readPersonRules('ignore', settings.get('core.excludesfile')),
    readIfThere(join(place.commonDir, 'info', 'exclude')),
    readRuleFile(place, '', '.gitignore'),
  ]
  return texts.map((text) => ignoreRule({ folder: '', text: text ?? '' }))
}

function withFolder(place: FoundRepository, folder: string, above: readonly IgnoreRule[]): IgnoreRule[] {
  const text = folder === '' ? '' : readRuleFile(place, folder, '.gitignore')
  return text === '' ? [...above] : [...above, ignoreRule({ folder, text })]
}

/** git does not follow a rule file that is a symlink. */
function readRuleFile(place: FoundRepository, folder: string, name: string): string {
  const file = join(place.workTree!, folder, name)
  return lstatSync(file, { throwIfNoEntry: false })?.isFile() ? readFileSync(file, 'utf8') : ''
}

function isIgnored(rules: readonly IgnoreRule[], path: string, isDirectory: boolean): boolean {
  for (let at = rules.length - 1; at >= 0; at--) {
    const verdict = rules[at]!(path, isDirectory)
    if (verdict !== null) return verdict
  }
  return false
}

/** Nothing below an ignored folder can be taken back in. */
function isIgnoredAbove(place: FoundRepository, settings: Settings, prefix: string): boolean {
  let rules = baseRules(place, settings)
  for (const folder of parents(`${prefix}/x`)) {
    if (isIgnored(rules, folder, true)) return true
    rules = withFolder(place, folder, rules)
  }
  return false
}

/** `a`, `a/b` for `a/b/c`. */
function parents(path: string): string[] {
  const found: string[] = []
  for (let folder = dirname(path); folder !== '.' && folder !== '/'; folder = dirname(folder)) found.unshift(folder)
  return found
}

function isBelow(path: string, prefix: string): boolean {
  return prefix === '' || path === prefix || path.startsWith(`${prefix}/`)
}
