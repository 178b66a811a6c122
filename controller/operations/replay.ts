import { randomBytes } from 'node:crypto'
import { FibricError } from '../domain/errors.ts'
import { compileGlob } from '../domain/glob.ts'
import { mintId, type ReceiptId, type TenantId } from '../domain/ids.ts'
import { controlEntry } from '../domain/receipt.ts'
import type { Engine } from '../engine.ts'
import { sequenceLedger } from '../ledger/sequence.ts'
import { consumerOf } from '../loop/operators.ts'
import type { DomainRow } from '../store/domains.ts'
import { readClaimHorizon } from '../store/effect-claims.ts'
import { type ConsumerRow, readConsumers } from '../store/event-consumers.ts'
import { doorbellOf } from '../store/event-doorbell.ts'
import { readHeads, readPositionSince } from '../store/event-lanes.ts'
import { writeReplay } from '../store/event-replays.ts'
import { type EventOutline, readOutlines } from '../store/events.ts'
import { appendEntries } from '../store/ledger.ts'
import { requireScope } from '../tenancy/actor.ts'
import { domainAtDoor } from './events.ts'
import { operatorsOf } from './operators.ts'

export interface ReplayRequest {
  readonly tenant: string | null
  readonly hostTenantId?: TenantId | null
  /** Who gets the events again. */
  readonly consumer: string
  /** Received at this instant or later; null: from the beginning of what is kept. */
  readonly since: string | null
  /** Received before this instant; null: up to now. */
  readonly until: string | null
  /** Globs over event types; none: every type. */
  readonly types: readonly string[]
  readonly dryRun: boolean
}

export interface Replay {
  /** Null for a dry run, and where there is nothing to replay. */
  readonly id: string | null
  readonly consumer: string
  readonly dryRun: boolean
  /** How many events it delivers, and the first of them. */
  readonly count: number
  readonly sample: readonly EventOutline[]
}

const pageSize = 5000
const sampleMax = 20

/** Delivers stored events to one consumer again, as new deliveries with the same keys; or says which it would. */
export async function replayEvents(engine: Engine, request: ReplayRequest): Promise<Replay> {
  requireScope(engine.actor, 'operators:write')
  const domain = await domainAtDoor(engine, request.tenant, request.hostTenantId ?? null)
  const { tenant_id: tenantId } = domain
  const consumer = await consumerNamed(engine, domain, request.consumer)
  const range = await rangeOf(engine, tenantId, request)
  const types = request.types.length > 0 ? request.types : ['**']
  const { count, sample, first, last } = await survey(engine, tenantId, range, types)
  if (sample[0] !== undefined) await refuseBeyondClaims(engine, tenantId, sample[0].received_at)
  const found = { consumer, dryRun: request.dryRun, count, sample }
  if (request.dryRun || count === 0) return { id: null, ...found }
  const now = engine.clock()
  const id = mintId('replay', now.getTime(), randomBytes(10))
  await engine.database.asWorker([tenantId], async (tx) => {
    await writeReplay(tx, {
      tenant_id: tenantId,
      replay_id: id,
      consumer,
      from_position: first,
      to_position: last,
      types,
      person: engine.actor.person,
      created_at: now.toISOString(),
    })
    await appendEntries(tx, tenantId, domain.reseller_id, now.toISOString(), [
      controlEntry(mintId('receipt', now.getTime(), randomBytes(10)) as ReceiptId, 'control.events.replay', {
        tenantId,
        person: engine.actor.person,
        at: now.toISOString(),
        details: { replay_id: id, consumer, from: first, to: last, types, count },
      }),
    ])
  })
  doorbellOf(engine.database).ring(tenantId)
  await sequenceLedger(engine.database, tenantId, now.toISOString())
  return { id, ...found }
}

/** People name an operator; its consumer is named by what never changes of it. */
async function consumerNamed(engine: Engine, { tenant_id: tenantId, slug }: DomainRow, name: string): Promise<string> {
  const consumers: ConsumerRow[] = await engine.database.asWorker([tenantId], (tx) => readConsumers(tx, [tenantId]), {
    access: 'read only',
  })
  const known = consumers.map(({ consumer }) => consumer)
  if (known.includes(name)) return name
  const operators = await operatorsOf(engine, slug)
  const plain = name.replace(/^operator:/, '').replace(`${slug}/Operator/`, '')
  const meant = operators.find((operator) => operator.name === plain)
  if (meant && known.includes(consumerOf(meant))) return consumerOf(meant)
  const named = new Map(operators.map((operator) => [consumerOf(operator), `operator:${operator.name}`]))
  const shown = known.map((consumer) => named.get(consumer) ?? consumer).slice(0, 10)
  throw new FibricError('NOT_FOUND', `nobody consumes events as \`${name.toWellFormed().slice(0, 200)}\``, {
    hint: known.length === 0 ? 'no consumer has begun yet' : `there are: ${shown.join(', ')}`,
  })
}

/** A key that was forgotten deduplicates nothing: an event from before would have its effect a second time. */
export async function refuseBeyondClaims(engine: Engine, tenantId: TenantId, oldest: string): Promise<void> {
  const from = await engine.database.asWorker([tenantId], (tx) => readClaimHorizon(tx, tenantId), {
    access: 'read only',
  })
  if (from === null || Date.parse(oldest) >= Date.parse(from)) return
  throw new FibricError('REPLAY_BEYOND_CLAIMS', `keys of effects are kept since ${from}, and these events are older`, {
    hint: `what was applied could be applied twice: replay from there on, --since ${from}`,
    details: { claims_from: from },
  })
}

/** Positions after `after`, up to and with `upTo`. */
async function rangeOf(engine: Engine, tenantId: TenantId, { since, until }: ReplayRequest) {
  return engine.database.asWorker(
    [tenantId],
    async (tx) => {
      const head = (await readHeads(tx, [tenantId])).get(tenantId) ?? 0
      const first = since === null ? 1 : ((await readPositionSince(tx, tenantId, since)) ?? head + 1)
      const end = until === null ? null : await readPositionSince(tx, tenantId, until)
      return { after: first - 1, upTo: end === null ? head : end - 1 }
    },
    { access: 'read only', isolation: 'repeatable read' },
  )
}

async function survey(
  engine: Engine,
  tenantId: TenantId,
  range: { readonly after: number; readonly upTo: number },
  types: readonly string[],
) {
  const globs = types.map(compileGlob)
  const sample: EventOutline[] = []
  let count = 0
  let first = 0
  let last = 0
  for (let { after } = range; after < range.upTo; ) {
    const page = await engine.database.asWorker(
      [tenantId],
      (tx) => readOutlines(tx, tenantId, { after, upTo: range.upTo, limit: pageSize }),
      { access: 'read only' },
    )
    for (const outline of page) {
      if (!globs.some((glob) => glob.matches(outline.event_type))) continue
      if (count === 0) first = outline.position
      last = outline.position
      count++
      if (sample.length < sampleMax) sample.push(outline)
    }
    after = page.at(-1)?.position ?? range.upTo
  }
  return { count, sample, first, last }
}
