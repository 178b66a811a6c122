import { isTerminal } from '../../domain/action-machine.ts'
import { capabilityOf } from '../../domain/change.ts'
import { configConnection, envelopeOf } from '../../domain/config-action.ts'
import { type CounterKey, consume, counterKey, type Facts } from '../../domain/counters.ts'
import { FibricError } from '../../domain/errors.ts'
import { countersFor } from '../../domain/gate.ts'
import {
  type Address,
  type Digest,
  platformSlug,
  platformTenantId,
  type Slug,
  type TenantId,
} from '../../domain/ids.ts'
import { judgeLockOut, type Standing } from '../../domain/lock-out.ts'
import type { GateAction } from '../../domain/verdict.ts'
import { type ActionRow, lockActions, readLastActions } from '../../store/actions.ts'
import { readApprovals } from '../../store/approvals.ts'
import { type DomainRow, lockRulesEpochs } from '../../store/domains.ts'
import { lockObjectRows, readLastReceipts } from '../../store/objects.ts'
import { readSuspensions } from '../../store/runtime-records.ts'
import type { Transaction } from '../../store/tenancy.ts'
import { noLongerWaiting, proposerOf, vetoed } from './answers.ts'
import { type Disposition, decide, type FoundObject } from './decide.ts'
import { readFacts, writeFacts } from './facts.ts'
import { requireGenesis } from './genesis.ts'
import { commitOf, outcomeOf, writtenOf } from './record.ts'
import { movesRules, readDomainRules, readRules } from './rules-in-force.ts'
import type { ChangeOutcome, Item, Run } from './run.ts'
import { writeBatch } from './write-batch.ts'

/**
 * Disposes of up to a few hundred changes of one domain in one transaction: lock, gate, change, outcome and receipt.
 * Nothing of a batch remains when any part of it fails. Returns what became of each.
 */
export async function carryOutBatch(
  run: Run,
  slug: Slug,
  items: readonly Item[],
  firstOrdinal: number,
): Promise<ChangeOutcome[]> {
  const domain = run.domains.get(slug)!
  const tenants = [...new Set([domain.tenant_id, platformTenantId])]
  try {
    const outcomes = await run.database.asWorker(tenants, async (tx) => {
      const now = run.clock()
      await settleRules(run, tx, domain, items, now)
      // Counts before objects: a batch that creates an object has no row of it to lock, and writes it while it has the counts.
      const facts = await readFacts(tx, domain, items, countersOf(run, items))
      const found = await findObjects(tx, domain, items)
      const before = copyOf(run.rules!)
      const dispositions = await dispose(run, tx, domain, items, found, facts, now)
      refuseLockOut(run, before, dispositions, now)
      const written = dispositions.map((each, index) => writtenOf(run, domain, each, firstOrdinal + index, now))
      await writeBatch(
        run,
        tx,
        domain,
        written.filter((row) => row !== null),
        now,
      )
      return dispositions.map((each, index) => outcomeOf(each, written[index] ?? null))
    })
    for (const outcome of outcomes) run.outcomes.set(outcome.address, outcome)
    return outcomes
  } catch (error) {
    // The rules in memory moved with changes that were not kept.
    run.rules = null
    throw error
  }
}

/**
 * Holds the lock-out brakes against the rules and the people found here, where nobody can come between: two plans that
 * each leave one approver may together leave none, and a held change may be approved long after it was judged.
 */
function refuseLockOut(run: Run, before: Standing, dispositions: readonly Disposition[], now: Date): void {
  const moved = dispositions.some(({ fate, item }) => fate === 'applied' && movesRules(item.change.address))
  // The first plan is judged as a whole before it begins: there is nothing yet that anybody could be locked out of.
  if (!moved || run.genesis || run.brakesConfirmed) return
  const decided = new Set([...run.outcomes.keys(), ...dispositions.map(({ item }) => item.change.address)])
  const after = run.atTheEnd(copyOf(run.rules!), (address) => !decided.has(address))
  const findings = judgeLockOut(before, after, now.getTime())
  if (findings.length === 0) return
  throw new FibricError('BRAKE', findings.map(({ message }) => message).join('; '), {
    hint: 'give others the role first, or veto the change',
    details: { brakes: findings, first: findings[0]!.code },
  })
}

function copyOf({ pools, people }: Standing): Standing {
  return { pools: pools.copy(), people: people.copy() }
}

/** Makes sure the rules at hand are those in force, and keeps them so until the transaction ends. */
async function settleRules(
  run: Run,
  tx: Transaction,
  domain: DomainRow,
  items: readonly Item[],
  now: Date,
): Promise<void> {
  if (run.genesis) await requireGenesis(tx, now.getTime())
  const moving = items.some(({ change }) => movesRules(change.address))
  // Always the platform first, so that two batches never wait for one another.
  const platform = await lockRulesEpochs(
    tx,
    [platformTenantId],
    moving && domain.slug === platformSlug ? 'update' : 'share',
  )
  const own =
    domain.slug === platformSlug ? platform : await lockRulesEpochs(tx, [domain.tenant_id], moving ? 'update' : 'share')
  const epochs = new Map([...platform, ...own])
  const isCurrent = (id: TenantId): boolean => run.rules?.epochs.get(id) === epochs.get(id)
  if (!run.rules || !isCurrent(platformTenantId)) {
    run.rules = await readRules(tx, run.genesis, [domain], epochs, now, run.restored)
  } else if (!isCurrent(domain.tenant_id)) {
    await readDomainRules(tx, run.rules, [domain], epochs, run.restored)
  }
}

async function findObjects(
  tx: Transaction,
  domain: DomainRow,
  items: readonly Item[],
): Promise<Map<Address, FoundObject>> {
  const addresses = items.flatMap(({ change }) =>
    change.addressBefore ? [change.address, change.addressBefore] : [change.address],
  )
  const rows = await lockObjectRows(tx, domain.tenant_id, addresses)
  const isProtected = new Map(rows.map((row) => [row.address, row.deletion_protection]))
  const tombstones = new Map(rows.filter((row) => row.digest === null).map((row) => [row.address, row.generation]))
  const receipts = await readLastReceipts(
    tx,
    addresses.map((address) => ({ tenantId: domain.tenant_id, address })),
  )
  const found = new Map<Address, FoundObject>()
  for (const receipt of receipts) {
    const digest = receipt.receipted_digest
    found.set(receipt.address, {
      generation: Math.max(receipt.receipted_generation!, digest === null ? (tombstones.get(receipt.address) ?? 0) : 0),
      digest,
      protected: isProtected.get(receipt.address) ?? false,
    })
  }
  return found
}

/** Decides one change after another; each sees the rules and the counts as those before it left them. */
async function dispose(
  run: Run,
  tx: Transaction,
  domain: DomainRow,
  items: readonly Item[],
  found: ReadonlyMap<Address, FoundObject>,
  before: Facts,
  now: Date,
): Promise<Disposition[]> {
  const suspended = new Set((await readSuspensions(tx, now.toISOString())).map((row) => row.address))
  const earlier = new Map(run.outcomes)
  // After the counters are locked: a batch with the same wish has either committed by now or will see this one.
  const lastActions = await readLast(tx, domain, items)
  await requireWaiting(tx, domain, items)
  let facts = before
  const dispositions: Disposition[] = []
  for (const item of items) {
    const { change } = item
    const rules = run.rules!
    const isSuspended = suspended.has(change.addressBefore ?? change.address)
    const seen = { ...run, outcomes: earlier }
    const standing = found.get(change.address) ?? null
    const last = lastActions.get(change.digest) ?? null
    const disposition = decide(seen, item, standing, last, isSuspended, rules, facts, now.getTime())
    dispositions.push(disposition)
    earlier.set(change.address, outcomeOf(disposition, null))
    if (disposition.fate !== 'applied') continue
    facts = spend(facts, disposition)
    const content = item.material.content
    const object =
      change.digestAfter && content
        ? {
            address: change.address,
            owner: domain.tenant_id,
            commit: commitOf(run),
            digest: change.digestAfter,
            content,
          }
        : null
    rules.pools.replace(change.address, change.addressBefore, object)
    rules.people.replace(change.address, change.addressBefore, object)
  }
  await writeFacts(tx, domain, before, facts, now.getTime())
  return dispositions
}

/** The latest action of each change that this batch proposes anew. */
async function readLast(
  tx: Transaction,
  domain: DomainRow,
  items: readonly Item[],
): Promise<ReadonlyMap<Digest, ActionRow>> {
  const fresh = items.filter(({ existing }) => existing === null).map(({ change }) => change.digest)
  if (fresh.length === 0) return new Map()
  const actions = await readLastActions(tx, [domain.tenant_id], fresh)
  return new Map(actions.map((action) => [action.change_digest!, action]))
}

/** Holds the actions that waited, so that a veto or a newer plan either came first or comes too late. */
async function requireWaiting(tx: Transaction, domain: DomainRow, items: readonly Item[]): Promise<void> {
  const ids = items.flatMap(({ existing }) => existing?.action_id ?? [])
  if (ids.length === 0) return
  const held = await lockActions(tx, domain.tenant_id, ids)
  // What another approval carried out a moment ago is found done below, and that is no failure.
  const ended = held.find(({ state }) => isTerminal(state) && state !== 'applied')
  if (ended) throw noLongerWaiting(ended)
  const answers = await readApprovals(tx, [domain.tenant_id], ids)
  const veto = answers.find(({ decision }) => decision === 'veto')
  if (veto) throw vetoed(veto)
}

/** The rows beside those of tenant and capability: of whoever proposes, and whatever a rule reads. */
function countersOf(run: Run, items: readonly Item[]): CounterKey[] {
  const { pools } = run.rules!
  return items.flatMap(({ change, existing }) => {
    const proposer = existing ? proposerOf(existing) : run.actor.principal
    const capability = capabilityOf(change)
    const byProposer = { capability, by: 'operator' as const, value: `${proposer.kind}:${proposer.name}` }
    const action = { ...bareAction(change, capability), proposer }
    const envelope = envelopeOf(change, pools, 0)
    return [byProposer, ...countersFor(pools.ruleSetFor(change.address), action, envelope)]
  })
}

function bareAction(change: Item['change'], capability: string): Omit<GateAction, 'proposer'> {
  const nothing = { value: null, tier: 1, args: {}, operator: null, change: 'none' } as const
  return { capability, connection: configConnection, entity: change.address, ...nothing }
}

/** Counts an effect in every row at hand that is its own; approved holds count like any other. */
function spend(facts: Facts, { judged }: Disposition): Facts {
  const { action, envelope, verdict } = judged!
  const own = Object.values(facts.counters)
    .filter(
      ({ key }) => key.capability === action.capability && counterKey(key.by, action, envelope).value === key.value,
    )
    .map(({ key }) => ({ ...key, windowMinutes: 0 }))
  return consume(facts, own, action, envelope, { ...verdict, decision: 'ALLOW', holds: [] })
}
