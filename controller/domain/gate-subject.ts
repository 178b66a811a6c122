import type { Facts } from './counters.ts'
import { type Decimal, parseDecimal } from './decimal.ts'
import { type CompiledExpression, type ExpressionNames, evaluate } from './expression.ts'
import type { JsonObject } from './json.ts'
import type { GateAction, GateEnvelope } from './verdict.ts'

/** What is true of a question: yes, no, or it cannot be said. Errors never widen. */
export type Answer = 'yes' | 'no' | 'error'

/** One action being judged, with what several rules ask of it worked out once. */
export interface Subject {
  readonly action: GateAction
  readonly envelope: GateEnvelope
  readonly facts: Facts
  /** Null when the action has no value, or none that can be read. */
  readonly amount: Decimal | null
  names: ExpressionNames | null
  /** Rules often share a condition; it is asked once. */
  readonly answers: Map<CompiledExpression, Answer>
}

export function subjectOf(action: GateAction, envelope: GateEnvelope, facts: Facts): Subject {
  const amount = action.value === null ? null : parseDecimal(action.value.amount)
  return { action, envelope, facts, amount, names: null, answers: new Map() }
}

export function ask(expression: CompiledExpression, subject: Subject): Answer {
  let answer = subject.answers.get(expression)
  if (answer === undefined) {
    answer = answerOf(expression, subject)
    subject.answers.set(expression, answer)
  }
  return answer
}

function answerOf(expression: CompiledExpression, subject: Subject): Answer {
  try {
    subject.names ??= namesOf(subject)
    const value = evaluate(expression, subject.names)
    return value === true ? 'yes' : value === false ? 'no' : 'error'
  } catch {
    // Whatever went wrong, the answer is the same: it cannot be said. Near misses name the expression.
    return 'error'
  }
}

/** What `when` and `check` may name. `action.value` is a number, for comparing; ceilings use the exact amount. */
function namesOf({ action, envelope }: Subject): ExpressionNames {
  const { kind, name } = action.proposer
  const { id, slug, reseller, environment } = envelope.tenant
  const subject: JsonObject = {
    capability: action.capability,
    connection: action.connection,
    entity: action.entity,
    value: action.value === null ? null : Number(action.value.amount),
    tier: action.tier,
    args: action.args,
    proposer: { kind, name, model: action.model ?? null, rating: action.modelRating ?? null },
  }
  return {
    action: subject,
    event: envelope.event,
    tenant: { id, slug, reseller, environment },
    now: new Date(envelope.now),
  }
}
