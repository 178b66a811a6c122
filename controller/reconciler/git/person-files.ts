import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseGitConfig } from './config-file.ts'

/** Settings as git settles them, the last one wins: the machine's, the person's, the repository's. For the built-in client. */
export function readSettings(commonDir: string): Map<string, string> {
  const { GIT_CONFIG_NOSYSTEM, GIT_CONFIG_SYSTEM, GIT_CONFIG_GLOBAL } = process.env
  const system = GIT_CONFIG_NOSYSTEM ? [] : [GIT_CONFIG_SYSTEM ?? '/etc/gitconfig']
  const person = GIT_CONFIG_GLOBAL
    ? [GIT_CONFIG_GLOBAL]
    : [join(personFolder(), 'config'), join(homedir(), '.gitconfig')]
  const texts = [...system, ...person, join(commonDir, 'config')].map(readIfThere)
  return new Map(texts.flatMap((text) => [...parseGitConfig(text ?? '')]))
}

/** The person's own rules for every repository, `ignore` or `attributes`; null when they have none. */
export function readPersonRules(name: 'ignore' | 'attributes', setting: string | undefined): string | null {
  if (setting === undefined) return readIfThere(join(personFolder(), name))
  return readIfThere(setting.startsWith('~/') ? join(homedir(), setting.slice(2)) : resolve(setting))
}

/** A file's text; null when there is none. */
export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && absent.has(String(error.code))) return null
    throw error
  }
}

const absent = new Set(['ENOENT', 'ENOTDIR', 'EISDIR'])

function personFolder(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'git')
}
