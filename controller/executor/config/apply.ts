import { type Change, verbOf } from '../../domain/change.ts'
import { FibricError } from '../../domain/errors.ts'
import type { Address, Digest, Slug } from '../../domain/ids.ts'
import type { Plan, PlannedChange } from '../../domain/plan.ts'
import { ledgerSlugOf } from '../../domain/sequence.ts'
import type { ActionRow } from '../../store/actions.ts'
import { carryOutBatch } from './batch.ts'
import { continueDependents } from './continue.ts'
import { finishAnswered } from './finish-answered.ts'
import type { ChangeOutcome, Fate, Item, Material, Run } from './run.ts'
import { settleWaiting } from './settle-waiting.ts'
import { withRetry } from './with-retry.ts'

/** Batches end after this many changes, so that a takeover never waits long for an open one. */
const batchSizeMax = 200

export interface ApplyInput {
  readonly plan: Plan
  readonly material: (change: PlannedChange) => Promise<Material>
  /** Actions that wait now, with the approvals given. */
  readonly waiting: readonly ActionRow[]
  /** Whether the plan spoke about an address: what it did not look at is left as it is. */
  readonly looksAt: (address: Address) => boolean
  readonly progress: (done: number, total: number) => void
}

/**
 * Carries a plan out: what waits in vain is ended, then batch after batch is disposed of, each with its receipts. A
 * crash leaves whole batches, and the same plan goes on where it stopped: a step that was taken is never taken twice.
 */
export async function applyPlan(run: Run, input: ApplyInput): Promise<ChangeOutcome[]> {
  await endWhatWaitsInVain(run, input)
  if (input.waiting.length > 0) await finishAnswered(run)
  const { changes } = input.plan
  let done = 0
  for (const { slug, changes: batch, first } of batches(run, changes)) {
    if (!run.domains.has(slug)) {
      for (const change of batch) run.outcomes.set(change.address, fateWithoutDomain(change))
      continue
    }
    const items = await Promise.all(batch.map(async (change) => freshItem(change, await input.material(change))))
    await withRetry(() => carryOutBatch(run, slug, items, first)).catch((error: unknown) => {
      throw partly(run, changes.length, error)
    })
    done += batch.length
    input.progress(done, changes.length)
  }
  // Last, so that what waits sees what this plan put in the place of what it waited for.
  if (input.waiting.length > 0) await continueDependents(run)
  return changes.map((change) => run.outcomes.get(change.address)!)
}

/**
 * A failure after batches were kept says so: what is applied stays, and the same command goes on with the rest. That the
 * world moved is for the caller to answer, who plans again.
 */
function partly(run: Run, total: number, error: unknown): unknown {
  const kept = [...run.outcomes.values()].filter(({ outcome }) => outcome === 'applied').length
  const moved = error instanceof FibricError && (error.code === 'PLAN_STALE' || error.code === 'GENESIS_CLOSED')
  if (kept === 0 || moved || !(error instanceof FibricError)) return error
  return new FibricError('PARTLY_APPLIED', `${kept} of ${total} changes were applied, then: ${error.message}`, {
    hint: 'run it again: it goes on where it stopped',
    cause: error,
    details: { applied: kept, total, code: error.code },
  })
}

async function endWhatWaitsInVain(run: Run, input: ApplyInput): Promise<void> {
  const wanted = new Set<Digest>(input.plan.changes.map((change) => change.digest))
  const tenants = new Set(input.waiting.map((action) => action.tenant_id))
  for (const domain of [...run.domains.values()]) {
    if (tenants.has(domain.tenant_id)) await settleWaiting(run, domain, wanted, input.looksAt)
  }
}

interface Batch {
  readonly slug: Slug
  readonly changes: readonly PlannedChange[]
  /** Position of the first change in the plan. */
  readonly first: number
}

/**
 * Consecutive changes of one domain, up to the size of a batch. A change whose fate is known beforehand never enters a
 * transaction: a second pass over what is blocked, held or suspended writes nothing.
 */
function* batches(run: Run, changes: readonly PlannedChange[]): Generator<Batch> {
  let open: { slug: Slug; changes: PlannedChange[]; first: number } | null = null
  for (const [index, change] of changes.entries()) {
    const earlier = run.outcomes.get(change.address)
    // What was gone on with may be another version of the same object, which a plan of targets leaves waiting.
    const known = earlier?.change.digest === change.digest ? earlier : knownFate(run, change)
    if (known) {
      run.outcomes.set(change.address, known)
      continue
    }
    const slug = ledgerSlugOf(change.address)
    if (open && (open.slug !== slug || open.changes.length >= batchSizeMax)) {
      yield open
      open = null
    }
    open ??= { slug, changes: [], first: index }
    open.changes.push(change)
  }
  if (open) yield open
}

function knownFate(run: Run, change: PlannedChange): ChangeOutcome | null {
  const { standing } = change
  const outcome = (fate: Fate, reason: string, ids = {}): ChangeOutcome => fateOf(change, fate, reason, ids)
  switch (standing.kind) {
    case 'proposed':
      return null
    case 'waiting':
      return outcome('waiting', `waits as ${standing.actionId}`, { actionId: standing.actionId })
    case 'settled':
      return outcome('settled', `was ${standing.outcome} under the rules in force`, { receiptId: standing.receiptId })
    case 'suspended':
      return outcome('suspended', `suspended until ${standing.until}: ${standing.reason}`)
    case 'withheld': {
      const fate = run.outcomes.get(standing.on)?.outcome
      const neverProposed = fate === 'settled' || fate === 'suspended' || fate === 'withheld'
      return neverProposed ? outcome('withheld', `waits for \`${standing.on}\``) : null
    }
  }
}

/**
 * A domain that is not there has no ledger to write to. Its Tenant was not applied, so its objects wait for a later
 * pass; or it is gone, by an earlier attempt at this plan, and its objects went before it.
 */
function fateWithoutDomain(change: PlannedChange): ChangeOutcome {
  if (verbOf(change) === 'delete') return fateOf(change, 'unchanged', 'an earlier attempt applied it')
  const slug = ledgerSlugOf(change.address)
  return fateOf(change, 'withheld', `waits for \`${slug}/Tenant/${slug}\``)
}

function fateOf(
  change: PlannedChange,
  outcome: Fate,
  reason: string,
  ids: Partial<Pick<ChangeOutcome, 'actionId' | 'receiptId'>> = {},
): ChangeOutcome {
  return { address: change.address, change, outcome, actionId: null, receiptId: null, reasons: [reason], ...ids }
}

export function freshItem(change: PlannedChange, material: Material): Item {
  return { change, material, existing: null, approvals: [] }
}

export function deletionsIn(changes: readonly Change[]): number {
  return changes.filter((change) => verbOf(change) === 'delete').length
}
