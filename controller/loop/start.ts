import { setTimeout as sleep } from 'node:timers/promises'
import { platformTenantId, type TenantId } from '../domain/ids.ts'
import type { EffectConnector } from '../executor/effects/connector.ts'
import type { ExecutorSettings } from '../executor/effects/context.ts'
import { Executor } from '../executor/effects/executor.ts'
import { sequenceLedgers } from '../ledger/sequence.ts'
import type { EventBus } from '../seams/event-bus.ts'
import { readOnceMoved } from '../store/config-marks.ts'
import type { Database } from '../store/connect.ts'
import { readDomains } from '../store/domains.ts'
import { AppendWatch } from '../store/last-serials.ts'
import { readPauses } from '../store/runs.ts'
import { Runner } from './deliveries.ts'
import type { Models } from './model.ts'
import { consumerOf, type OperatorInForce, readOperators, runs } from './operators.ts'
import { Recorder } from './recorder.ts'
import { renderText } from './rules.ts'
import { Ticks, ticks } from './ticks.ts'

export interface LoopParts {
  readonly connector: EffectConnector
  /** Absent where no operator may ask a model. */
  readonly models?: Models
  readonly bus: EventBus
  readonly signal: AbortSignal
  readonly settings?: Partial<ExecutorSettings>
  /** Told of what went wrong and will be tried again. */
  readonly onFailure?: (error: unknown, doing: string) => void
}

export interface Loop {
  readonly executor: Executor
  /** Resolves once everything under way has ended after the signal. */
  readonly ended: Promise<void>
  /** Looks at what is applied and paused now, and not only at the next turn. */
  refresh(): Promise<void>
}

interface Running {
  readonly operator: OperatorInForce
  readonly abort: AbortController
  readonly ended: Promise<void>
}

const refreshMs = 1000
const sequenceMs = 250
const sequenceQuietMs = 1000

/**
 * The governed loop of one process: events reach every active operator that they trigger, what operators propose is recorded
 * as plans, and the executor disposes. Any number of processes may run it on one database.
 */
export function startLoop(engine: { readonly database: Database; readonly clock: () => Date }, parts: LoopParts): Loop {
  const { database, clock } = engine
  const { connector, bus, signal } = parts
  const onFailure = parts.onFailure ?? (() => {})
  const executor = new Executor({
    database,
    connector,
    clock,
    onFailure,
    ...(parts.settings ? { settings: parts.settings } : {}),
  })
  const recorder = new Recorder(database, clock, executor)
  const runner = new Runner(
    { connector, clock, signal, ...(parts.models ? { models: parts.models } : {}) },
    database,
    recorder,
  )
  const running = new Map<string, Running>()
  const registered = new Set<string>()
  const directory = new Directory(database)
  const readDirectory = readOnceMoved(database, () => directory.read())
  const clockwork = new Ticks(runner, clock, onFailure)
  let ticking: readonly OperatorInForce[] = []
  /** What is followed as it should be; null: something is to be taken up. */
  let followed: readonly OperatorInForce[] | null = null

  async function refresh(): Promise<void> {
    const operators = await readDirectory()
    if (operators === followed) return
    followed = null
    const wanted = new Map<string, OperatorInForce>()
    ticking = operators.filter((operator) => runs(operator) && ticks(operator.trigger))
    for (const operator of operators) {
      if (operator.trigger.on.length === 0 || operator.state === 'draft') continue
      if (runs(operator)) wanted.set(keyOf(operator), operator)
      else await register(operator)
    }
    const gone = [...running].filter(([key]) => !wanted.has(key))
    for (const [key, { abort }] of gone) {
      abort.abort()
      running.delete(key)
    }
    await Promise.all(gone.map(([, { ended }]) => ended))
    followed = operators
    for (const [key, operator] of wanted) if (!running.has(key)) running.set(key, follow(operator))
  }

  /** One that is paused before it ever ran has its place in the stream from now on. */
  async function register(operator: OperatorInForce): Promise<void> {
    if (registered.has(operator.id)) return
    const claimed = await bus.claim({
      tenantId: operator.domain.tenant_id,
      consumer: consumerOf(operator),
      from: 'now',
    })
    await claimed?.release()
    registered.add(operator.id)
  }

  function follow(operator: OperatorInForce): Running {
    const abort = new AbortController()
    const { orderBy } = operator.trigger
    const ended = bus
      .subscribe(
        { tenantId: operator.domain.tenant_id, consumer: consumerOf(operator), from: 'now' },
        {
          signal: AbortSignal.any([signal, abort.signal]),
          concurrency: 64,
          handle: (delivery) => runner.deliver(operator, delivery),
          onFailure: (error) => onFailure(error, `running \`${operator.address}\``),
          ...(orderBy === null ? {} : { keyOf: ({ event }) => orderingKey(orderBy, event as never) }),
        },
      )
      .catch((error: unknown) => {
        onFailure(error, `following for \`${operator.address}\``)
        // Taken up again with the next look at what is applied.
        running.delete(keyOf(operator))
        followed = null
      })
    return { operator, abort, ended }
  }

  async function supervise(): Promise<void> {
    while (!signal.aborted) {
      await refresh().catch((error: unknown) => onFailure(error, 'looking for operators'))
      await clockwork.run(ticking)
      await pause(refreshMs, signal)
    }
    await Promise.all([...running.values()].map(({ ended }) => ended))
  }

  async function sequence(): Promise<void> {
    const appended = new AppendWatch(database, 'entries')
    while (!signal.aborted) {
      await pause(appended.isQuiet ? sequenceQuietMs : sequenceMs, signal)
      const isDue = await appended.isDue().catch(() => true) // what is wrong with the database, the look will say
      if (isDue) await sequenceNow()
    }
  }

  /** What is left without a position is given one by whoever comes next. */
  function sequenceNow(): Promise<void> {
    return sequenceLedgers(database, clock().toISOString()).catch((error: unknown) => onFailure(error, 'sequencing'))
  }

  const ended = Promise.all([supervise(), executor.run(signal), sequence()]).then(sequenceNow)
  return { executor, ended, refresh }
}

/** The operators of every domain; what has not moved is not read again. */
class Directory {
  readonly #database: Database
  #epochs = new Map<TenantId, string>()
  #operators = new Map<TenantId, OperatorInForce[]>()

  constructor(database: Database) {
    this.#database = database
  }

  async read(): Promise<OperatorInForce[]> {
    const domains = await this.#database.asWorker([], readDomains, { access: 'read only' })
    const tenants = domains.map((domain) => domain.tenant_id)
    const pauses = await this.#database.asWorker(tenants, (tx) => readPauses(tx, tenants), { access: 'read only' })
    // Tenant documents, which suspend, belong to the platform: its epoch counts for everyone.
    const platform = domains.find((domain) => domain.tenant_id === platformTenantId)?.rules_epoch
    const epochs = new Map(
      domains.map((domain) => {
        const paused = pauses.filter((row) => row.tenant_id === domain.tenant_id).map((row) => row.address)
        return [domain.tenant_id, `${platform} ${domain.rules_epoch} ${domain.slug} ${paused.sort().join(' ')}`]
      }),
    )
    const moved = tenants.filter((tenant) => this.#epochs.get(tenant) !== epochs.get(tenant))
    if (moved.length > 0) {
      const context = [...new Set([platformTenantId, ...moved])]
      const operators = await this.#database.asWorker(context, (tx) => readOperators(tx, moved), {
        access: 'read only',
      })
      const byTenant = Map.groupBy(operators, (operator) => operator.domain.tenant_id)
      for (const tenant of moved) this.#operators.set(tenant, byTenant.get(tenant) ?? [])
    }
    this.#epochs = epochs
    return tenants.flatMap((tenant) => this.#operators.get(tenant) ?? [])
  }
}

/** Another digest is another subscription; the cursor stays. */
function keyOf(operator: OperatorInForce): string {
  return `${operator.id} ${operator.digest}`
}

/** An expression that fails orders by nothing: the run itself will say what is wrong with it. */
function orderingKey(orderBy: string, event: Parameters<typeof renderText>[1][string]): string {
  try {
    return String(renderText(orderBy, { event }, 'key'))
  } catch {
    return ''
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal })
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error
  }
}
