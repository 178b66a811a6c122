import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { databaseUrlOf } from '../../../controller/store/pool.ts'
import { type Files, first } from '../../crash/repositories.ts'
import { plainEnvironment, root } from '../../support/cli.ts'
import type { ClonedDatabase } from '../../support/database.ts'

export const bin = join(root, 'bin/fibric')
export const golden = join(root, 'test/golden/cli/engine')

/** The root key that every test database is bound to, as FIBRIC_ROOT_KEY would hold it. */
export const rootKeyText = Buffer.alloc(32, 'fibric test root key').toString('hex')

export interface Ran {
  readonly exit: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A repository in a folder of its own, beside a database, and the command line that works on both. */
export class World {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'fibric-flow-')))
  readonly #environment: NodeJS.ProcessEnv

  constructor(database: ClonedDatabase | null, environment: NodeJS.ProcessEnv = {}) {
    const url =
      database === null ? {} : { FIBRIC_DATABASE_URL: databaseUrlOf(database.owner), FIBRIC_ROOT_KEY: rootKeyText }
    this.#environment = { ...plainEnvironment(), ...url, ...environment }
  }

  /** Text by path; null takes a file away. */
  write(files: { readonly [path: string]: string | null }): void {
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.folder, path)
      mkdirSync(dirname(file), { recursive: true })
      if (text === null) rmSync(file, { recursive: true, force: true })
      else writeFileSync(file, text)
    }
  }

  run(argv: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ran> {
    return new Promise((resolve, reject) => {
      const child = spawn(bin, argv, {
        cwd: this.folder,
        env: { ...this.#environment, ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let stdout = ''
      let stderr = ''
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        stdout += chunk
      })
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        stderr += chunk
      })
      child.on('error', reject)
      child.on('close', (exit) => resolve({ exit, stdout, stderr }))
    })
  }

  /** Runs a command that has to end with `exit`, and answers what it printed. */
  async expect(exit: number, argv: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<string> {
    const ran = await this.run(argv, environment)
    if (ran.exit === exit) return exit === 0 || ran.stdout !== '' ? ran.stdout : ran.stderr
    throw new Error(`fibric ${argv.join(' ')} ended with ${ran.exit} instead of ${exit}:\n${ran.stdout}${ran.stderr}`)
  }

  async json<T = { [key: string]: unknown }>(
    exit: number,
    argv: readonly string[],
    environment: NodeJS.ProcessEnv = {},
  ): Promise<T> {
    return JSON.parse(await this.expect(exit, [...argv, '--json'], environment)) as T
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** The repository that the flow begins with. Its brakes are tight enough to be met by a handful of objects. */
export const repository: Files = {
  ...first,
  'fibric.yaml': first['fibric.yaml']!.replace(
    'maxDeletePercent: 100, minObjects: 100',
    'maxDeletePercent: 40, minObjects: 5',
  ),
}

/**
 * Output without what differs between two runs: ids, digests and times become names that are counted as they appear,
 * and runs of spaces, whose length follows from theirs, become two.
 */
export function stable(text: string): string {
  const names = new Map<string, string>()
  const counts = new Map<string, number>()
  const named = (kind: string) => (found: string) => {
    if (!names.has(found)) {
      counts.set(kind, (counts.get(kind) ?? 0) + 1)
      names.set(found, `<${kind} ${counts.get(kind)}>`)
    }
    return names.get(found)!
  }
  return text
    .replaceAll(realpathSync(tmpdir()), '<tmp>')
    .replace(/fibric-flow-\w+/g, '<folder>')
    .replace(/\b(rc|act|pl|co|key|obj|t)_[0-9a-z]{32}\b/g, (found, noun: string) => named(noun)(found))
    .replace(/\bdep_[0-9a-f]{24}\b/g, '<deployment>')
    .replace(/sha256:[0-9a-f]{64}/g, named('digest'))
    .replace(/sha256:[0-9a-f]{12}\b/g, named('short digest'))
    .replace(/\b(leaf"?: "?)[0-9a-f]{64}/g, '$1<leaf>')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z/g, '<time>')
    .replaceAll(`local:${userInfo().username}`, 'local:<login>')
    .replace(/(\S) {2,}/g, '$1  ')
}

/** Rows of a table below its heading in an order of their own: those of one instant come in any. */
export function sortedRows(table: string): string {
  const [heading, ...rows] = table.trimEnd().split('\n')
  const unnamed = (row: string) => row.replace(/\b(rc|act|pl|co)_\w+/g, '').replace(/\S+Z\b/g, '')
  return `${[heading, ...rows.sort((a, b) => (unnamed(a) < unnamed(b) ? -1 : 1))].join('\n')}\n`
}
