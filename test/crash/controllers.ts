import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../controller/config.ts'
import type { Engine } from '../../controller/engine.ts'
import { sequenceLedgers } from '../../controller/ledger/sequence.ts'
import { parseDatabaseUrl } from '../../controller/store/pool.ts'
import { testServer } from '../support/database.ts'
import type { TestEngine } from '../support/engine.ts'
import type { ControllerOrders } from './controller-child.ts'
import { findFaults } from './ledger-state.ts'

/** One controller in a process of its own. */
export interface Controller {
  readonly process: ChildProcess
  /** Resolves once it follows the log; rejects with what it said when it ended before. */
  readonly ready: Promise<void>
  readonly ended: Promise<NodeJS.Signals | null>
  /** What it complained of. */
  stderr(): string
}

const rootKeyText = Buffer.alloc(32, 'fibric test root key').toString('hex')

export function startController(
  config: Config,
  cacheFolder: string,
  more: Partial<Omit<ControllerOrders, 'config'>> = {},
): Controller {
  const orders: ControllerOrders = {
    config: { ...config, rootKeyText },
    leaseMarginMs: 1000,
    sleepsAfterClaim: false,
    ...more,
  }
  const process_ = spawn(process.execPath, [join(import.meta.dirname, 'controller-child.ts'), JSON.stringify(orders)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: cacheFolder },
  })
  let stderr = ''
  process_.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    process_.once('close', (_code, signal) => resolve(signal)),
  )
  const ready = new Promise<void>((resolve, reject) => {
    process_.stdout.on('data', (chunk) => String(chunk).includes('ready') && resolve())
    void ended.then(() => reject(new Error(`a controller ended before it was ready: ${stderr}`)))
  })
  // Whoever kills one before it is ready does not wait for that.
  ready.catch(() => {})
  return { process: process_, ready, ended, stderr: () => stderr }
}

/** Waits until the operators have their places in the stream: what comes before that is not theirs. */
export async function untilFollowed(engine: TestEngine, operators = 1): Promise<void> {
  for (let tries = 0; tries < 2400; tries++) {
    const found = await engine.sql(`select from fibric.event_consumer where consumer like 'operator:%'`)
    if (found.length >= operators) return
    await sleep(25)
  }
  throw new Error('no operator ever followed the events')
}

/** What is wrong with an engine's database once every entry has its position, seen past every wall. */
export async function ledgerFaults({ config, database }: Engine): Promise<string[]> {
  await sequenceLedgers(database, new Date().toISOString())
  const { database: name } = parseDatabaseUrl(config.databaseUrl!, 'databaseUrl')
  return findFaults({ ...(await testServer()).superuser, database: name })
}
