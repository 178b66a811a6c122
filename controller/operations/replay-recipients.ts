import { FibricError } from '../domain/errors.ts'
import type { Engine } from '../engine.ts'
import { consumerOf, isTriggeredBy, type OperatorInForce } from '../loop/operators.ts'
import type { DomainRow } from '../store/domains.ts'
import { readConsumers } from '../store/event-consumers.ts'
import { operatorsOf } from './operators.ts'

/** Who gets events again: an operator, or a consumer that none stands behind. */
export interface Recipient {
  readonly consumer: string
  readonly operator: OperatorInForce | null
}

/** Whom a replay is for: those that are named, each once; where none is, every operator that runs or is paused. */
export async function recipientsOf(
  engine: Engine,
  domain: DomainRow,
  names: readonly string[],
): Promise<readonly Recipient[]> {
  const { tenant_id: tenantId, slug } = domain
  const consumers = await engine.database.asWorker([tenantId], (tx) => readConsumers(tx, [tenantId]), {
    access: 'read only',
  })
  const operators = new Map((await operatorsOf(engine, slug)).map((operator) => [consumerOf(operator), operator]))
  const known = consumers.map(({ consumer }) => ({ consumer, operator: operators.get(consumer) ?? null }))
  // A paused one gets them when it is resumed, as it gets whatever else has come in meanwhile.
  if (names.length === 0) return known.filter(({ operator }) => operator !== null && operator.state !== 'draft')
  return [...new Set(names.map((name) => recipientNamed(domain, known, name)))]
}

/** Whether an event of this type is anything to a recipient: a run that its trigger does not ask for never begins. */
export function takes({ operator }: Recipient, eventType: string): boolean {
  return operator === null || isTriggeredBy(operator.trigger, eventType)
}

/** People name an operator; its consumer is named by what never changes of it. */
function recipientNamed({ slug }: DomainRow, known: readonly Recipient[], name: string): Recipient {
  const plain = name.replace(/^operator:/, '').replace(`${slug}/Operator/`, '')
  const meant =
    known.find(({ consumer }) => consumer === name) ?? known.find(({ operator }) => operator?.name === plain)
  if (meant) return meant
  const shown = known.map(({ consumer, operator }) => (operator ? `operator:${operator.name}` : consumer)).slice(0, 10)
  throw new FibricError('NOT_FOUND', `nobody consumes events as \`${name.toWellFormed().slice(0, 200)}\``, {
    hint: known.length === 0 ? 'no consumer has begun yet' : `there are: ${shown.join(', ')}`,
  })
}
