import { randomBytes } from 'node:crypto'
import { FibricError } from '../domain/errors.ts'
import { mintId, type ReceiptId } from '../domain/ids.ts'
import { controlEntry } from '../domain/receipt.ts'
import type { Engine } from '../engine.ts'
import { appendWithin } from '../ingest/append.ts'
import { eventOfLetter } from '../ingest/redrive.ts'
import { sequencerOf } from '../ingest/sequencer.ts'
import { sequenceLedger } from '../ledger/sequence.ts'
import { type DeadLetter, markDeadLetterRedriven, readDeadLetter, readDeadLetters } from '../store/dead-letters.ts'
import type { DomainRow } from '../store/domains.ts'
import { doorbellOf } from '../store/event-doorbell.ts'
import { writeReplay } from '../store/event-replays.ts'
import { readEvent } from '../store/events.ts'
import { appendEntries } from '../store/ledger.ts'
import type { Transaction } from '../store/tenancy.ts'
import { requireScope } from '../tenancy/actor.ts'
import { tenantIdsOf, visibleDomains } from './domains.ts'
import { refuseBeyondClaims } from './replay.ts'

/** What was received and could not be processed, newest first; with `all` also what was delivered again. */
export async function listDeadLetters(
  engine: Engine,
  query: { readonly tenant: string | null; readonly all: boolean; readonly reason?: string | null },
  before: string | null,
  limit: number,
): Promise<DeadLetter[]> {
  requireScope(engine.actor, 'events:read')
  const tenants = tenantIdsOf(await visibleDomains(engine, query.tenant))
  return engine.database.asWorker(
    tenants,
    (tx) => readDeadLetters(tx, { tenants, before, limit, all: query.all, reason: query.reason ?? null }),
    {
      access: 'read only',
    },
  )
}

/**
 * Delivers a dead letter again, once: what came in becomes an event by what is applied now, and what a run died of is given
 * to its operator as a new run with the same keys.
 */
export async function redriveDeadLetter(engine: Engine, letterId: string): Promise<DeadLetter> {
  requireScope(engine.actor, 'operators:write')
  const { database } = engine
  const domains = await visibleDomains(engine, null)
  const tenants = tenantIdsOf(domains)
  const letter = await database.asWorker(tenants, (tx) => readDeadLetter(tx, tenants, letterId), {
    access: 'read only',
  })
  const domain = domains.find(({ tenant_id }) => tenant_id === letter?.tenant_id)
  if (letter === null || domain === undefined) {
    throw new FibricError('NOT_FOUND', `there is no dead letter \`${letterId.toWellFormed().slice(0, 100)}\``, {
      hint: 'see them with: fibric events dead list',
    })
  }
  if (letter.redriven_at !== null) throw redrivenBefore(letter)
  const now = engine.clock()
  const deliver =
    letter.origin === 'run' ? await replayOf(engine, letter, now) : await eventOf(engine, domain, letter, now)
  const done = { at: now.toISOString(), by: engine.actor.person }
  const to = await database.asWorker([domain.tenant_id], async (tx) => {
    const to = await deliver(tx)
    // Two who redrive one letter at once: the second has done nothing.
    if (!(await markDeadLetterRedriven(tx, letter, { ...done, to }))) throw redrivenBefore(letter)
    await appendEntries(tx, domain.tenant_id, domain.reseller_id, done.at, [
      controlEntry(mintId('receipt', now.getTime(), randomBytes(10)) as ReceiptId, 'control.events.redrive', {
        tenantId: domain.tenant_id,
        person: engine.actor.person,
        at: done.at,
        details: { letter_id: letterId, reason: letter.reason, became: to },
      }),
    ])
    return to
  })
  sequencerOf(database).ring([domain.tenant_id])
  doorbellOf(database).ring(domain.tenant_id)
  await sequenceLedger(database, domain.tenant_id, done.at)
  return { ...letter, redriven_at: done.at, redriven_by: done.by, redriven_to: to }
}

type Deliver = (tx: Transaction) => Promise<string>

async function eventOf(engine: Engine, domain: DomainRow, letter: DeadLetter, now: Date): Promise<Deliver> {
  const event = await eventOfLetter(engine.database, domain.slug, letter)
  return async (tx) => {
    const [appended] = await appendWithin(tx, domain.tenant_id, [event], now)
    if (appended!.outcome !== 'conflict') return appended!.eventId
    throw new FibricError(
      'IDEMPOTENCY_CONFLICT',
      `the key of \`${letter.letter_id}\` stands for other content by now`,
      {
        hint: `it is the key of \`${appended!.eventId}\``,
        details: { event_id: appended!.eventId },
      },
    )
  }
}

/** A replay of the one event to the consumer whose run died. */
async function replayOf(engine: Engine, letter: DeadLetter, now: Date): Promise<Deliver> {
  const { tenant_id: tenantId, event_id: eventId, consumer } = letter
  const tenants = [tenantId]
  const event =
    eventId === null
      ? null
      : await engine.database.asWorker(tenants, (tx) => readEvent(tx, tenants, eventId), { access: 'read only' })
  if (!event || event.position === null || consumer === null) {
    throw new FibricError('STATE_CONFLICT', `the event of \`${letter.letter_id}\` is past its retention`, {
      hint: 'send it again from where it came from',
    })
  }
  await refuseBeyondClaims(engine, tenantId, event.receivedAt)
  const id = mintId('replay', now.getTime(), randomBytes(10))
  const replay = {
    tenant_id: tenantId,
    replay_id: id,
    consumer,
    from_position: event.position,
    to_position: event.position,
    types: ['**'],
    person: engine.actor.person,
    created_at: now.toISOString(),
  }
  return async (tx) => {
    await writeReplay(tx, replay)
    return id
  }
}

function redrivenBefore({ letter_id: id, redriven_to: to }: DeadLetter): FibricError {
  return new FibricError('STATE_CONFLICT', `\`${id}\` was delivered again before`, {
    hint: to === null ? 'see: fibric events dead list --all' : `see what it became: fibric trace ${to}`,
  })
}
