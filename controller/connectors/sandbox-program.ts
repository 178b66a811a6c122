import { accessSync, closeSync, constants, openSync, readSync, realpathSync, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, sep } from 'node:path'
import type { BoundFile } from './sandbox.ts'

/** A program as it is started in a sandbox, and what of this machine it needs to see for that. */
export interface LocatedProgram {
  readonly command: readonly string[]
  readonly files: readonly BoundFile[]
}

/**
 * Finds the program of a command: an absolute path, or a name on this process's PATH. It sees its own file, or the
 * `node_modules` folder that it lies in; `node`, and what asks for it, gets the Node this process runs on.
 */
export function locateProgram(command: readonly string[]): LocatedProgram | { readonly problem: string } {
  const [name = '', ...args] = command
  if (name === 'node') return { command: [process.execPath, ...args], files: own(process.execPath) }
  const path = findProgram(name)
  if (path === null) return { problem: `there is no program \`${name}\` on this machine` }
  const real = realpathSync(path)
  if (!asksForNode(real)) return { command: [real, ...args], files: own(real) }
  return { command: [process.execPath, real, ...args], files: [...own(process.execPath), ...own(real)] }
}

/** The absolute path of something that can be executed; null where there is none. */
export function findProgram(name: string): string | null {
  if (isAbsolute(name)) return isExecutable(name) ? name : null
  if (name === '' || name.includes('/')) return null
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']
  for (const folder of folders) {
    if (isAbsolute(folder) && isExecutable(join(folder, name))) return join(folder, name)
  }
  return null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false // not there, or not ours to run
  }
}

/** What the system shows anyway needs no binding; a package needs the packages it was installed beside. */
function own(path: string): BoundFile[] {
  if (path.startsWith('/usr/')) return []
  const parts = path.split(sep)
  const packages = parts.indexOf('node_modules')
  const shown = packages > 0 ? parts.slice(0, packages + 1).join(sep) : path
  return [{ path: shown, write: false }]
}

function asksForNode(path: string): boolean {
  const head = Buffer.alloc(64)
  const file = openSync(path, 'r')
  try {
    const length = readSync(file, head, 0, head.length, 0)
    return /^#!\S*\/(?:env )?node\b/.test(head.toString('latin1', 0, length))
  } finally {
    closeSync(file)
  }
}
