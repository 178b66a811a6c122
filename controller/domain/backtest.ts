import { counterId, type Facts } from './counters.ts'
import { countersFor, evaluate, type RuleSet } from './gate.ts'
import type { Decision } from './rules.ts'
import type { GateAction, GateEnvelope, Verdict } from './verdict.ts'

/** One decision of the past with what it was made from. */
export interface RecordedDecision {
  /** How people find it again: the action's or receipt's id. */
  readonly id: string
  readonly action: GateAction
  readonly envelope: GateEnvelope
  /** The rows of counts that were seen then; what is missing is unknown. */
  readonly facts: Facts
  readonly decision: Decision
}

/** What proposed rules would have decided. JSON, as plans carry it. */
export interface BacktestReport {
  /** Decisions replayed through both sets of rules. */
  readonly replayed: number
  /** Recorded facts do not suffice for these; they are never guessed. */
  readonly not_replayable: number
  /** Decisions that would have let more through, and less. */
  readonly looser: number
  readonly stricter: number
  /** Decisions whose rules in force do not give what was recorded: the record is of other rules. */
  readonly differs_from_record: number
  /** The first flips, in the order recorded. */
  readonly flips: readonly BacktestFlip[]
}

export interface BacktestFlip {
  readonly id: string
  readonly capability: string
  readonly entity: string
  readonly from: Decision
  readonly to: Decision
  readonly reason: string
}

export const flipsMax = 100

/** Replays recorded decisions through the rules in force and the proposed ones. Pure. */
export function backtest(
  recorded: Iterable<RecordedDecision>,
  inForce: RuleSet,
  proposed: RuleSet,
  listedMax: number = flipsMax,
): BacktestReport {
  let [replayed, notReplayable, looser, stricter, differsFromRecord] = [0, 0, 0, 0, 0]
  const flips: BacktestFlip[] = []
  for (const decision of recorded) {
    if (!isReplayable(decision, inForce) || !isReplayable(decision, proposed)) {
      notReplayable++
      continue
    }
    replayed++
    const old = replay(decision, inForce)
    const now = replay(decision, proposed)
    if (old.decision !== decision.decision) differsFromRecord++
    if (old.decision === now.decision) continue
    if (rank[now.decision] > rank[old.decision]) looser++
    else stricter++
    if (flips.length < listedMax) flips.push(flipOf(decision, old, now))
  }
  return {
    replayed,
    not_replayable: notReplayable,
    looser,
    stricter,
    differs_from_record: differsFromRecord,
    flips,
  }
}

const rank: Record<Decision, number> = { BLOCK: 0, ALERT: 1, ALLOW: 2 }

function replay({ action, envelope, facts }: RecordedDecision, rules: RuleSet): Verdict {
  return evaluate(rules, action, envelope, { ...facts, partial: true })
}

/** Whether every count that a rule may ask for was recorded, as far back as it asks. */
function isReplayable({ action, envelope, facts }: RecordedDecision, rules: RuleSet): boolean {
  const minute = Math.floor(envelope.now / 60_000)
  return countersFor(rules, action, envelope).every((need) => {
    const counter = facts.counters[counterId(need)]
    return counter !== undefined && counter.since <= minute - need.windowMinutes
  })
}

function flipOf({ id, action }: RecordedDecision, old: Verdict, now: Verdict): BacktestFlip {
  const { capability, entity } = action
  return { id, capability, entity, from: old.decision, to: now.decision, reason: now.reasons[0] ?? '' }
}
