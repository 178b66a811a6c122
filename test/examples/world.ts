import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readMigrations } from '../../controller/store/migrate.ts'
import { databaseUrlOf } from '../../controller/store/pool.ts'
import { bin, type Ran, rootKeyText, sortedRows, stable } from '../cli/engine/world.ts'
import { type SendOptions, type Sent, send } from '../support/api.ts'
import { plainEnvironment, root } from '../support/cli.ts'
import { cloneDatabase } from '../support/database.ts'

/**
 * An example, run as its README says: a copy of its folder, `fibric up` over a database of its own, the command line beside
 * it, and the API over HTTP. Commands that are recorded make the transcript that the test compares and the README shows.
 */
export interface Example {
  readonly folder: string
  readonly port: number
  /** Whatever `up` has printed so far. */
  output(): string
  /** Runs a command that has to end with `exit` (default 0), and keeps it in the transcript. */
  fibric(line: string, options?: CommandOptions): Promise<string>
  /** Runs a command that is not part of the story, and reads its JSON. */
  json<T = { [key: string]: never }>(line: string, options?: CommandOptions): Promise<T>
  /** The secret of a new key, of a User where one is named (`acme/User/lena`). */
  key(tenant: string, role: string, user?: string): Promise<string>
  send(method: string, path: string, options?: SendOptions): Promise<Sent>
  /** Receipts of what was done to the world, oldest first. */
  receipts(tenant: string): Promise<Entry[]>
  /** A sentence between the commands of the transcript. */
  note(text: string): void
  /** Everything recorded, ids and times replaced. */
  transcript(): string
  close(): Promise<void>
}

export interface CommandOptions {
  readonly exit?: number
  readonly stdin?: string
  /** FIBRIC_TOKEN of whoever types it. */
  readonly token?: string
  /** Rows of a table that come in any order within one instant. */
  readonly sorted?: boolean
}

export interface Entry {
  readonly id: string
  readonly kind: string
  readonly body: { readonly [field: string]: unknown }
}

export interface ExampleOptions {
  /** Texts in the copied files by what stands there instead: the ports of servers that the test started. */
  readonly replace?: { readonly [written: string]: string }
  readonly environment?: NodeJS.ProcessEnv
}

const database = async () => cloneDatabase(await readMigrations())

export async function startExample(name: string, { replace = {}, environment }: ExampleOptions = {}): Promise<Example> {
  const clone = await database()
  const folder = copyOf(name, replace)
  const settings = {
    ...plainEnvironment(),
    FIBRIC_DATABASE_URL: databaseUrlOf(clone.owner),
    FIBRIC_ROOT_KEY: rootKeyText,
    ...environment,
  }
  const up = startUp(folder, settings)
  const lines: string[] = []

  const run = (line: string, { stdin, token, exit = 0 }: CommandOptions): Promise<string> =>
    command(line.split(' '), folder, { ...settings, ...(token && { FIBRIC_TOKEN: token }) }, stdin).then((ran) => {
      if (ran.exit === exit) return exit === 0 || ran.stdout !== '' ? ran.stdout : ran.stderr
      throw new Error(
        `fibric ${line} ended with ${ran.exit} instead of ${exit}:\n${ran.stdout}${ran.stderr}\n${up.output().slice(-500)}`,
      )
    })

  const close = async (): Promise<void> => {
    await up.stop()
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    await clone.drop()
  }

  try {
    const port = Number(/http:\/\/localhost:(\d+)\/v1/.exec(await up.said('Ctrl-C stops.'))?.[1])
    const example: Example = {
      folder,
      port,
      output: up.output,
      close,
      send: (method, path, options = {}) => send(port, method, path, options),
      fibric: async (line, options = {}) => {
        const printed = await run(line, options)
        const typed = `${options.stdin === undefined ? '' : `printf %s ${quoted(options.stdin)} | `}${options.token ? 'FIBRIC_TOKEN=… ' : ''}fibric ${line.split(' ').map(quoted).join(' ')}`
        lines.push(`$ ${typed}`, (options.sorted ? sortedRows(printed) : printed).trimEnd(), '')
        return printed
      },
      json: async <T>(line: string, options: CommandOptions = {}) =>
        JSON.parse(await run(`${line} --json`, options)) as T,
      key: async (tenant, role, user) => {
        const line = `keys create --tenant ${tenant} --role ${role}${user ? ` --user ${user}` : ''} --json`
        return (JSON.parse(await run(line, {})) as { secret: string }).secret
      },
      receipts: async (tenant) => {
        const { data } = JSON.parse(await run(`receipts list --tenant ${tenant} --json`, {})) as { data: Entry[] }
        return data
          .filter(({ kind, body }) => kind === 'receipt' && !String(body.capability).startsWith('config.'))
          .reverse()
      },
      note: (text) => void lines.push(`# ${text}`, ''),
      transcript: () => shown(lines.join('\n'), replace),
    }
    return example
  } catch (error) {
    await close()
    throw error
  }
}

/** Asks again until the answer is good, and answers the last one anyway: the assertion then says what is wrong with it. */
export async function until<T>(read: () => T | Promise<T>, good: (value: T) => boolean, seconds = 60): Promise<T> {
  for (const end = Date.now() + seconds * 1000; ; await sleep(100)) {
    const value = await read()
    if (good(value) || Date.now() > end) return value
  }
}

/** Where the transcript of an example is kept. */
export function goldenOf(name: string): string {
  return join(root, `test/golden/examples/${name}.txt`)
}

/**
 * What a README shows that did not happen: each command in its `console` blocks has to stand in the transcript, with exactly
 * the output that stands below it.
 */
export function untrueIn(name: string, transcript: string): string[] {
  const readme = readFileSync(join(root, `examples/${name}/README.md`), 'utf8')
  const blocks = [...readme.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(([, block]) => block!)
  return blocks
    .flatMap((block) => block.split(/^(?=\$ )/m))
    .map((chunk) => chunk.trim())
    .filter((chunk) => /^\$ .*fibric /.test(chunk) && !`${transcript}\n\n`.includes(`${chunk}\n\n`))
}

/** Output without what differs between two runs: `act_1` is the first action that is named, `<time>` any moment. */
function shown(text: string, replace: { readonly [written: string]: string }): string {
  const back = Object.entries(replace).reduce((result, [written, real]) => result.replaceAll(real, written), text)
  const counts = new Map<string, number>()
  const names = new Map<string, string>()
  const numbered = back.replace(/\b(ev|rc|act|pl|co|run|key|obj?|t|dl|rpl)_[0-9a-z]{32}\b/g, (found, noun: string) => {
    if (!names.has(found)) {
      counts.set(noun, (counts.get(noun) ?? 0) + 1)
      names.set(found, `${noun}_${counts.get(noun)}`)
    }
    return names.get(found)!
  })
  const plain = stable(numbered)
    .replaceAll('local:<login>', 'local:you')
    .replace(/\bleaf [0-9a-f]{64}/g, 'leaf …')
    .replace(/sk_live_\w+/g, 'sk_live_…')
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>')
    .replace(/ in \d+ ms$/gm, ' in 9 ms')
  return plain.replace(/^[A-Z]+(?: {2}[A-Z]+)+$(?:\n.+)*/gm, aligned)
}

/** A table whose columns lost their width with the ids in them. */
function aligned(table: string): string {
  const rows = table.split('\n').map((row) => row.split(/ {2,}/))
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function copyOf(name: string, replace: { readonly [written: string]: string }): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `fibric-${name}-`)))
  cpSync(join(root, 'examples', name), folder, { recursive: true, filter: (path) => !path.includes('/.fibric') })
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(ya?ml|json)$/.test(entry.name)) continue
    const file = join(entry.parentPath, entry.name)
    const text = readFileSync(file, 'utf8')
    const changed = Object.entries(replace).reduce((result, [written, real]) => result.replaceAll(written, real), text)
    if (changed !== text) writeFileSync(file, changed)
  }
  return folder
}

function startUp(folder: string, environment: NodeJS.ProcessEnv) {
  const child = spawn(bin, ['up', '--port', '0'], { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
  }
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()))
  return {
    output: () => output,
    said: async (text: string) => {
      for (const end = Date.now() + 120_000; !output.includes(text); await sleep(50)) {
        if (Date.now() > end || hasEnded(child)) throw new Error(`\`up\` never said \`${text}\`:\n${output}`)
      }
      return output
    },
    stop: async () => {
      if (!hasEnded(child)) child.kill('SIGINT')
      await closed
    },
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function command(argv: readonly string[], cwd: string, env: NodeJS.ProcessEnv, stdin = ''): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(bin, argv, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] })
    const ran = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        ran[name] += chunk
      })
    }
    child.on('error', reject)
    child.on('close', (exit) => resolve({ ...ran, exit }))
    child.stdin.end(stdin)
  })
}

function quoted(text: string): string {
  return /^[\w.,:=@%/+-]+$/.test(text) ? text : `'${text}'`
}
