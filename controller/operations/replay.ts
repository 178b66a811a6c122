import { randomBytes } from 'node:crypto'
import { FibricError } from '../domain/errors.ts'
import { compileGlob } from '../domain/glob.ts'
import { type Address, mintId, type ReceiptId, type TenantId } from '../domain/ids.ts'
import { controlEntry } from '../domain/receipt.ts'
import type { Engine } from '../engine.ts'
import { sequenceLedger } from '../ledger/sequence.ts'
import type { DomainRow } from '../store/domains.ts'
import { readClaimHorizon } from '../store/effect-claims.ts'
import { doorbellOf } from '../store/event-doorbell.ts'
import { readHeads, readPositionSince } from '../store/event-lanes.ts'
import { writeReplay } from '../store/event-replays.ts'
import { type EventOutline, readOutlines } from '../store/events.ts'
import { appendEntries } from '../store/ledger.ts'
import { requireScope } from '../tenancy/actor.ts'
import { domainAtDoor } from './events.ts'
import { statusOf } from './operators.ts'
import { type Recipient, recipientsOf, takes } from './replay-recipients.ts'

export interface ReplayRequest {
  readonly tenant: string | null
  readonly hostTenantId?: TenantId | null
  /** Who gets the events again; none: every operator whose trigger matches one of them. */
  readonly consumers: readonly string[]
  /** Received at this instant or later; null: from the beginning of what is kept. */
  readonly since: string | null
  /** Received before this instant; null: up to now. */
  readonly until: string | null
  /** Globs over event types; none: every type. */
  readonly types: readonly string[]
  readonly dryRun: boolean
}

export interface Replay {
  /** Null for a dry run, and where there is nothing for it. */
  readonly id: string | null
  readonly consumer: string
  /** Null where no operator stands behind the consumer. */
  readonly operator: Address | null
  /** What the operator is doing: one that is paused gets them when it is resumed. */
  readonly status: string | null
  readonly dryRun: boolean
  /** How many events it delivers, and the first of them. */
  readonly count: number
  readonly sample: readonly EventOutline[]
}

const pageSize = 5000
const sampleMax = 20

/**
 * Delivers stored events again, as new deliveries with the same keys; or says which it would. One replay for each who gets
 * some, and for each who was named.
 */
export async function replayEvents(engine: Engine, request: ReplayRequest): Promise<Replay[]> {
  requireScope(engine.actor, 'operators:write')
  const domain = await domainAtDoor(engine, request.tenant, request.hostTenantId ?? null)
  const { tenant_id: tenantId } = domain
  const recipients = await recipientsOf(engine, domain, request.consumers)
  const range = await rangeOf(engine, tenantId, request)
  const types = request.types.length > 0 ? request.types : ['**']
  const found = await survey(engine, tenantId, range, types, recipients)
  const oldest = found.flatMap(({ sample }) => sample.slice(0, 1)).sort((a, b) => a.position - b.position)[0]
  if (oldest !== undefined) await refuseBeyondClaims(engine, tenantId, oldest.received_at)
  const wanted = request.consumers.length > 0 ? found : found.filter(({ count }) => count > 0)
  const ids = request.dryRun ? new Map() : await begin(engine, domain, wanted, types)
  return wanted.map(({ recipient: { consumer, operator }, count, sample }) => ({
    id: ids.get(consumer) ?? null,
    consumer,
    operator: operator?.address ?? null,
    status: operator && statusOf(operator),
    dryRun: request.dryRun,
    count,
    sample,
  }))
}

/** Begins the replays of those who get something, all or none; answers their ids by consumer. */
async function begin(
  engine: Engine,
  domain: DomainRow,
  found: readonly Found[],
  types: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { tenant_id: tenantId, reseller_id: resellerId } = domain
  const { person } = engine.actor
  const now = engine.clock()
  const at = now.toISOString()
  const begun = found.filter(({ count }) => count > 0)
  const ids = new Map(
    begun.map(({ recipient }) => [recipient.consumer, mintId('replay', now.getTime(), randomBytes(10))]),
  )
  if (begun.length === 0) return ids
  await engine.database.asWorker([tenantId], async (tx) => {
    for (const { recipient, first, last, count } of begun) {
      const { consumer } = recipient
      const id = ids.get(consumer)!
      await writeReplay(tx, {
        tenant_id: tenantId,
        replay_id: id,
        consumer,
        from_position: first,
        to_position: last,
        types,
        person,
        created_at: at,
      })
      const details = { replay_id: id, consumer, from: first, to: last, types, count }
      await appendEntries(tx, tenantId, resellerId, at, [
        controlEntry(mintId('receipt', now.getTime(), randomBytes(10)) as ReceiptId, 'control.events.replay', {
          tenantId,
          person,
          at,
          details,
        }),
      ])
    }
  })
  doorbellOf(engine.database).ring(tenantId)
  await sequenceLedger(engine.database, tenantId, at)
  return ids
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

/** What of a range one recipient gets. */
interface Found {
  readonly recipient: Recipient
  count: number
  first: number
  last: number
  readonly sample: EventOutline[]
}

async function survey(
  engine: Engine,
  tenantId: TenantId,
  range: { readonly after: number; readonly upTo: number },
  types: readonly string[],
  recipients: readonly Recipient[],
): Promise<Found[]> {
  const globs = types.map(compileGlob)
  const found: Found[] = recipients.map((recipient) => ({ recipient, count: 0, first: 0, last: 0, sample: [] }))
  const byType = new Map<string, readonly Found[]>()
  for (let { after } = range; after < range.upTo; ) {
    const page = await engine.database.asWorker(
      [tenantId],
      (tx) => readOutlines(tx, tenantId, { after, upTo: range.upTo, limit: pageSize }),
      { access: 'read only' },
    )
    for (const outline of page) {
      const { event_type: type } = outline
      if (!byType.has(type)) {
        const isWanted = globs.some((glob) => glob.matches(type))
        byType.set(type, isWanted ? found.filter(({ recipient }) => takes(recipient, type)) : [])
      }
      for (const each of byType.get(type)!) {
        if (each.count === 0) each.first = outline.position
        each.last = outline.position
        each.count++
        if (each.sample.length < sampleMax) each.sample.push(outline)
      }
    }
    after = page.at(-1)?.position ?? range.upTo
  }
  return found
}
