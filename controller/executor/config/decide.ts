import { isRefusal, isTerminal } from '../../domain/action-machine.ts'
import { holdsSatisfied } from '../../domain/approvals.ts'
import { type Change, idempotencyKeyOf, verbOf } from '../../domain/change.ts'
import { envelopeOf, gateActionOf } from '../../domain/config-action.ts'
import { counterId, type Facts } from '../../domain/counters.ts'
import { FibricError } from '../../domain/errors.ts'
import { countersFor, evaluate, type RuleSet } from '../../domain/gate.ts'
import type { Address, Digest } from '../../domain/ids.ts'
import { saysProtected } from '../../domain/resource.ts'
import type { GateAction, GateEnvelope, Verdict } from '../../domain/verdict.ts'
import type { ActionRow } from '../../store/actions.ts'
import { approvalsNow, proposerOf, separatedFrom } from './answers.ts'
import type { Fate, Item, RulesInForce, Run } from './run.ts'

/** What the transaction found of an object: by its last receipt, and whether its row forbids deletion. */
export interface FoundObject {
  readonly generation: number
  readonly digest: Digest | null
  readonly protected: boolean
}

/** How a change is disposed of, and the gate's answer where it was asked. */
export interface Disposition {
  readonly item: Item
  readonly fate: Fate
  readonly reasons: readonly string[]
  readonly judged: Judged | null
}

export interface Judged {
  readonly action: GateAction
  readonly envelope: GateEnvelope
  readonly verdict: Verdict
  /** The counts that some rule read, for replaying the decision. */
  readonly facts: Facts
}

/**
 * Decides about one change from what the transaction found. Pure but for the errors it throws when the world moved:
 * a stale object, or one that is protected now.
 */
export function decide(
  run: Pick<Run, 'actor' | 'outcomes'>,
  item: Item,
  found: FoundObject | null,
  earlier: ActionRow | null,
  suspended: boolean,
  rules: RulesInForce,
  facts: Facts,
  nowMs: number,
): Disposition {
  const { change, existing } = item
  const nothing = (fate: Fate, reason: string): Disposition => ({ item, fate, reasons: [reason], judged: null })
  if (isDone(change, found)) return nothing('unchanged', 'an earlier attempt applied it')
  requireFresh(change, found)
  if (suspended) return nothing('suspended', 'it is suspended')
  if (!existing) {
    // Whoever came first with the same wish asked for both: it is looked up again here, where nobody can come between.
    if (earlier && !isTerminal(earlier.state)) return nothing('waiting', `waits as ${earlier.action_id}`)
    if (change.standing.kind === 'waiting') return nothing('waiting', `waits as ${change.standing.actionId}`)
    if (change.standing.kind === 'settled') return nothing('settled', `was ${change.standing.outcome} before`)
  }
  const obstacle = firstObstacle(run.outcomes, change.after)
  if (obstacle) return nothing(obstacle.fate, `waits for \`${obstacle.on}\``)
  // The content says what was approved, the row beside it may have been changed by hand.
  const isProtected = found?.protected || saysProtected(item.material.before)
  if (verbOf(change) === 'delete' && isProtected) throw protectedNow(change.address)

  const action = gateActionOf(
    change,
    change.authority,
    { before: item.material.before, after: item.material.content },
    existing ? proposerOf(existing) : run.actor.principal,
  )
  const envelope = envelopeOf(change, rules.pools, nowMs)
  const ruleSet = rules.pools.ruleSetFor(change.address)
  const verdict = evaluate(ruleSet, action, envelope, facts)
  if (!existing && earlier && wasRefused(earlier, change, verdict))
    return nothing('settled', `was ${earlier.state} before`)
  return {
    item,
    ...dispose(item, verdict, rules),
    judged: { action, envelope, verdict, facts: factsRead(ruleSet, action, envelope, facts) },
  }
}

function wasRefused(earlier: ActionRow, { standing }: Item['change'], verdict: Verdict): boolean {
  if (!isRefusal(earlier.state) || earlier.policy_digest !== verdict.policy_digest) return false
  return !(standing.kind === 'proposed' && standing.despite === earlier.action_id)
}

function factsRead(ruleSet: RuleSet, action: GateAction, envelope: GateEnvelope, facts: Facts): Facts {
  const ids = countersFor(ruleSet, action, envelope).map(counterId)
  const counters = Object.fromEntries(ids.flatMap((id) => (facts.counters[id] ? [[id, facts.counters[id]]] : [])))
  return { counters, partial: true }
}

function dispose(item: Item, verdict: Verdict, rules: RulesInForce): { fate: Fate; reasons: readonly string[] } {
  switch (verdict.decision) {
    case 'BLOCK':
      return { fate: 'blocked', reasons: verdict.reasons }
    case 'ALLOW':
      return { fate: 'applied', reasons: verdict.reasons }
    case 'ALERT': {
      const approvals = approvalsNow(item.approvals, verdict.holds, rules)
      const { satisfied, waiting } = holdsSatisfied(verdict.holds, approvals, separatedFrom(item))
      if (satisfied) return { fate: 'applied', reasons: verdict.reasons }
      const wants = waiting.map(
        (hold) =>
          `rule \`${hold.rule}\` has ${hold.have} of ${hold.need} approvals${hold.because ? `, and ${hold.because}` : ''}`,
      )
      return { fate: 'held', reasons: wants }
    }
  }
}

/** The first prerequisite that is not applied, and what that makes of this change. */
function firstObstacle(
  outcomes: ReadonlyMap<Address, { readonly outcome: Fate }>,
  after: readonly Address[],
): { fate: Fate; on: Address } | null {
  for (const on of after) {
    const fate = outcomes.get(on)?.outcome
    switch (fate) {
      case undefined:
      case 'applied':
      case 'unchanged':
        continue
      case 'held':
      case 'planned':
      case 'waiting':
        return { fate: 'planned', on }
      case 'blocked':
      case 'skipped':
        return { fate: 'skipped', on }
      case 'settled':
      case 'suspended':
      case 'withheld':
        return { fate: 'withheld', on }
    }
  }
  return null
}

/** True when exactly this step was taken already, by this run's killed predecessor or by somebody with the same wish. */
function isDone(change: Change, found: FoundObject | null): boolean {
  return found !== null && found.generation === change.generationBefore + 1 && found.digest === change.digestAfter
}

function requireFresh(change: Change, found: FoundObject | null): void {
  const digest = found?.digest ?? null
  const generation = found?.generation ?? 0
  const expected = change.addressBefore === null ? change.digestBefore : null
  const sameGeneration =
    change.addressBefore === null ? generation === change.generationBefore : generation <= change.generationBefore
  if (digest === expected && sameGeneration) return
  throw new FibricError('PLAN_STALE', `\`${change.address}\` moved since the plan was made`, {
    hint: 'plan again: fibric plan',
    details: { address: change.address, idempotencyKey: idempotencyKeyOf(change) },
  })
}

function protectedNow(address: Address): FibricError {
  return new FibricError('BRAKE', `\`${address}\` is protected from deletion as it was last applied`, {
    hint: 'set `deletionProtection: false` and apply that first',
    details: { brakes: [{ code: 'PROTECTED', address }] },
  })
}
