import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../../controller/config.ts'
import { type ConnectionTarget, databaseUrlOf } from '../../controller/store/pool.ts'
import type { Files } from './repositories.ts'
import type { Orders, Report, Step, Stop } from './steps.ts'

const child = fileURLToPath(new URL('./child.ts', import.meta.url))

/** One process: who it acts as, and what it does. */
export interface Session {
  readonly as?: string
  readonly steps: readonly Step[]
}

/** Folders that go with the test. */
export function temporaryFolder(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'fibric-crash-'))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }) }
}

export function writeRepository(folder: string, files: Files): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

/** Every test deployment's root key, as FIBRIC_ROOT_KEY would hold it. */
const rootKeyText = Buffer.alloc(32, 'fibric test root key').toString('hex')

export function configOn(owner: ConnectionTarget, folder: string, token: string | null): Config {
  return { ...embeddedConfig(folder), databaseUrl: databaseUrlOf(owner), rootKeyText, token }
}

export function embeddedConfig(dataDirectory: string): Config {
  const logins = { databaseUrl: null, appUrl: null, workerUrl: null }
  return { ...logins, dataDirectory, searchPath: '', rootKeyText: null, token: null, login: 'operator' }
}

/** Starts a process with its orders. Its cache of stripped types makes up for most of what starting costs. */
export function startChild(orders: Orders, cacheFolder: string): ChildProcess {
  return spawn(process.execPath, [child, JSON.stringify(orders)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: cacheFolder },
  })
}

export interface Ended {
  readonly signal: NodeJS.Signals | null
  readonly report: Report | null
  readonly stderr: string
}

export function ended(process: ChildProcess): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  process.stdout!.on('data', (chunk) => {
    stdout += chunk
  })
  process.stderr!.on('data', (chunk) => {
    stderr += chunk
  })
  return new Promise((resolve, reject) => {
    process.once('error', reject)
    process.once('close', (_code, signal) => {
      const line = stdout.split('\n').find((text) => text.startsWith('{'))
      resolve({ signal, report: line === undefined ? null : (JSON.parse(line) as Report), stderr })
    })
  })
}

/** Runs a session to its end and answers its report; anything unexpected is an error that names it. */
export async function runSession(
  config: Config,
  session: Session,
  cacheFolder: string,
  stop: Stop | null = null,
): Promise<Report> {
  const { report, signal, stderr } = await ended(startChild({ config, steps: session.steps, stop }, cacheFolder))
  if (report === null) throw new Error(`the process ended without a report (${signal}): ${stderr}`)
  if (report.error !== null) throw new Error(`${report.error.code}: ${report.error.message}`)
  return report
}
