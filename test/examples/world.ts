import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { vi } from 'vitest'
import { readMigrations } from '../../controller/store/migrate.ts'
import { databaseUrlOf } from '../../controller/store/pool.ts'
import { bin, rootKeyText } from '../cli/engine/world.ts'
import { type SendOptions, type Sent, send } from '../support/api.ts'
import { plainEnvironment, root } from '../support/cli.ts'
import { cloneDatabase } from '../support/database.ts'
import { copyOf, runCommand, startProgram } from './running.ts'
import { shown, typed } from './transcript.ts'

export { goldenOf, untrueIn } from './transcript.ts'

// Half a dozen processes an example, on machines that have other things to do.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

/**
 * An example, run as its README says: a copy of its folder, `fibric up` over a database of its own, the command line beside
 * it, and the API over HTTP. Commands that are recorded make the transcript that the test compares and the README shows.
 */
export interface Example {
  readonly folder: string
  readonly port: number
  /** Resolves with everything that was printed once it has printed this. */
  said(text: string): Promise<string>
  /** Runs a command that has to end with `exit` (default 0), and keeps it in the transcript. */
  fibric(line: string, options?: CommandOptions): Promise<string>
  /** Runs a command that is not part of the story, and reads its JSON. */
  json<T = { [key: string]: never }>(line: string, options?: CommandOptions): Promise<T>
  /** The secret of a new key, of a User where one is named (`acme/User/lena`). */
  key(tenant: string, role: string, user?: string): Promise<string>
  send(method: string, path: string, options?: SendOptions): Promise<Sent>
  /** Receipts of what was done to the world, oldest first. */
  receipts(tenant: string): Promise<Entry[]>
  /** Everything recorded, ids and times replaced. */
  transcript(): string
  /** Interrupts it as Ctrl-C would; its exit code. */
  stop(): Promise<number | null>
  close(): Promise<void>
}

export interface CommandOptions {
  readonly exit?: number
  readonly stdin?: string
  /** FIBRIC_TOKEN of whoever types it. */
  readonly token?: string
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
  /** What lies in the folder, by name; default: `examples/<name>` itself. */
  readonly sources?: { readonly [name: string]: string }
  /** What is started in it; default: `fibric up`. */
  readonly program?: readonly [string, ...string[]]
}

export async function startExample(name: string, options: ExampleOptions = {}): Promise<Example> {
  const { replace = {}, environment, sources = { '.': join(root, 'examples', name) } } = options
  const [program, ...argv] = options.program ?? [bin, 'up', '--port', '0']
  const clone = await cloneDatabase(await readMigrations())
  const folder = copyOf(sources, replace)
  const settings = {
    ...plainEnvironment(),
    FIBRIC_DATABASE_URL: databaseUrlOf(clone.owner),
    FIBRIC_ROOT_KEY: rootKeyText,
    ...environment,
  }
  const up = startProgram(program, argv, folder, settings)
  const lines: string[] = []

  const run = (line: string, { stdin, token, exit = 0 }: CommandOptions): Promise<string> =>
    runCommand(line.split(' '), folder, { ...settings, ...(token && { FIBRIC_TOKEN: token }) }, stdin).then((ran) => {
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
      said: up.said,
      stop: up.stop,
      close,
      send: (method, path, options = {}) => send(port, method, path, options),
      fibric: async (line, options = {}) => {
        const printed = await run(line, options)
        lines.push(typed(line, options.stdin, options.token), printed.trimEnd(), '')
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
      transcript: () => shown(lines.join('\n'), replace),
    }
    return example
  } catch (error) {
    await close()
    throw error
  }
}

/** Asks again until the answer is good, and answers the last one anyway: the assertion then says what is wrong with it. */
export async function until<T>(read: () => T | Promise<T>, good: (value: T) => boolean, seconds = 120): Promise<T> {
  for (const end = Date.now() + seconds * 1000; ; await sleep(100)) {
    const value = await read()
    if (good(value) || Date.now() > end) return value
  }
}
