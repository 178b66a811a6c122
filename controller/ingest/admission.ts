import { FibricError } from '../domain/errors.ts'
import { platformTenantId, type TenantId } from '../domain/ids.ts'
import type { Database } from '../store/connect.ts'
import { readDeployment } from '../store/deployment.ts'
import { type Backlog, readBacklog } from '../store/event-consumers.ts'
import { waitingToAppend } from './append.ts'
import { Meters } from './meters.ts'
import { readStanding, type Standing } from './standing.ts'

export interface AdmissionLimits {
  /** How old the oldest event may be that the slowest consumer of a tenant has before it. */
  readonly backlogAgeMaxMs: number
  /** How many events it may have before it. */
  readonly backlogMax: number
  /** How many of a tenant's events may wait for their commit in this process. */
  readonly pendingMax: number
}

export const admissionLimits: AdmissionLimits = { backlogAgeMaxMs: 300_000, backlogMax: 10_000, pendingMax: 2_000 }

interface Seen {
  readonly at: number
  readonly backlog: Backlog
  /** Events a second that the slowest consumer got through lately. */
  readonly drained: number
}

const lookEveryMs = 500
const standingEveryMs = 1_000
const minuteMs = 60_000
const retryAfterMaxS = 300

/** Whether a tenant's events are taken in right now. One tenant's backlog refuses that tenant's events alone. */
export class Admission {
  readonly meters: Meters
  readonly #database: Database
  readonly #limits: AdmissionLimits
  readonly #seen = new Map<TenantId, Seen>()
  readonly #standing = new Map<TenantId, Standing & { readonly at: number }>()
  /** Looks under way: whoever comes meanwhile shares the answer, or a flood would fill the pool with one question. */
  readonly #asking = new Map<string, Promise<unknown>>()
  #open = false

  constructor(database: Database, limits: AdmissionLimits = admissionLimits, clock: () => Date = () => new Date()) {
    this.#database = database
    this.#limits = limits
    this.meters = new Meters(database, clock)
  }

  /** Lets `count` events of a tenant in, or refuses them with how long to wait. */
  async admit(tenantId: TenantId, slug: string, count = 1): Promise<void> {
    await this.#refuseBeforeGenesis()
    const { suspended, eventsPerMinute } = await this.#standingOf(tenantId, slug)
    if (suspended) {
      throw new FibricError('TENANT_SUSPENDED', 'the tenant is suspended: it takes no events until it is active again')
    }
    const { backlog, drained } = await this.#look(tenantId)
    const { backlogAgeMaxMs, backlogMax, pendingMax } = this.#limits
    if (backlog.ageMs > backlogAgeMaxMs || backlog.waiting > backlogMax) throw full(secondsToDrain(backlog, drained))
    if (waitingToAppend(this.#database, tenantId) >= pendingMax) throw full(1)
    if (eventsPerMinute === null || count === 0) return
    await this.meters.take(tenantId, 'tier', count, { max: eventsPerMinute, windowMs: minuteMs }, 'the tenant')
  }

  /** Whether the tenant is suspended, as of a second ago at most. */
  async isSuspended(tenantId: TenantId, slug: string): Promise<boolean> {
    return (await this.#standingOf(tenantId, slug)).suspended
  }

  async #standingOf(tenantId: TenantId, slug: string): Promise<Standing> {
    const known = this.#standing.get(tenantId)
    if (known !== undefined && performance.now() - known.at < standingEveryMs) return known
    return once(this.#asking, `standing ${tenantId}`, async () => {
      const standing = await this.#database.asWorker([platformTenantId], (tx) => readStanding(tx, tenantId, slug), {
        access: 'read only',
      })
      remember(this.#standing, tenantId, { at: performance.now(), ...standing })
      return standing
    })
  }

  /** Until the first plan is through nothing is routed, and so nothing is taken in. It closes once, for ever. */
  async #refuseBeforeGenesis(): Promise<void> {
    if (this.#open) return
    const deployment = await this.#database.asTenant(platformTenantId, readDeployment, { access: 'read only' })
    this.#open = deployment?.genesis_state === 'closed'
    if (this.#open) return
    throw new FibricError('SERVICE_UNAVAILABLE', 'no event is accepted before the first plan is applied', {
      details: { retry_after_s: 5 },
    })
  }

  async #look(tenantId: TenantId): Promise<Seen> {
    const before = this.#seen.get(tenantId)
    const now = performance.now()
    if (before && now - before.at < lookEveryMs) return before
    return once(this.#asking, `backlog ${tenantId}`, async () => {
      const backlog = await this.#database.asWorker([tenantId], (tx) => readBacklog(tx, tenantId), {
        access: 'read only',
      })
      const seen = { at: now, backlog, drained: drainRate(before, backlog, now) }
      remember(this.#seen, tenantId, seen)
      return seen
    })
  }
}

async function once<Value>(
  asking: Map<string, Promise<unknown>>,
  key: string,
  ask: () => Promise<Value>,
): Promise<Value> {
  const known = asking.get(key) as Promise<Value> | undefined
  if (known) return known
  const asked = ask().finally(() => asking.delete(key))
  asking.set(key, asked)
  return asked
}

const rememberedMax = 10_000

function remember<Value>(map: Map<TenantId, Value>, tenantId: TenantId, value: Value): void {
  map.delete(tenantId)
  map.set(tenantId, value)
  if (map.size > rememberedMax) map.delete(map.keys().next().value!)
}

/** Half of what was measured since the last look, half of what was known before. */
function drainRate(before: Seen | undefined, backlog: Backlog, now: number): number {
  if (!before || before.backlog.cursor === null || backlog.cursor === null) return before?.drained ?? 0
  const rate = (Math.max(0, backlog.cursor - before.backlog.cursor) * 1000) / Math.max(1, now - before.at)
  return before.drained === 0 ? rate : (before.drained + rate) / 2
}

/** How long half of the backlog takes at the rate it drains now; as long as is ever said where nothing moves. */
export function secondsToDrain(backlog: Pick<Backlog, 'waiting'>, drained: number): number {
  if (drained <= 0) return retryAfterMaxS
  return Math.min(retryAfterMaxS, Math.max(1, Math.ceil(backlog.waiting / 2 / drained)))
}

function full(retryAfterS: number): FibricError {
  return new FibricError('BACKLOG_FULL', 'too many events of this tenant wait to be processed', {
    hint: `send again in ${retryAfterS} s: nothing that was acknowledged is lost`,
    details: { retry_after_s: retryAfterS },
  })
}
