import type { ExpressionNames } from '../domain/expression.ts'
import type { Json } from '../domain/json.ts'
import { renderJson } from '../domain/render-json.ts'
import type { EffectConnector } from '../executor/effects/connector.ts'
import type { OperatorInForce } from './operators.ts'

/** A read that did not work: the run is tried again. */
export class SenseFailed extends Error {}

/** A read that did not work because its provider is away: no fault of the run. */
export class SourceAway extends SenseFailed {}

/** What the operator is not allowed to read, or what no connection offers: trying again does not help. */
export class SenseRefused extends Error {}

const readTimeoutMs = 30_000

/** Reads what the operator senses, in order, each read's arguments made from what came before it. */
export async function sense(
  connector: EffectConnector,
  operator: OperatorInForce,
  names: ExpressionNames,
  signal: AbortSignal,
): Promise<ExpressionNames> {
  let known = names
  for (const { as, capability, args } of operator.sense) {
    if (!operator.capabilities.includes(capability)) {
      throw new SenseRefused(`\`${capability}\` is not among the operator's capabilities`)
    }
    const bound = await connector.resolve(operator.domain.tenant_id, capability)
    if (bound.kind === 'unbound') throw new SenseRefused(bound.reason)
    const limit = AbortSignal.any([signal, AbortSignal.timeout(readTimeoutMs)])
    const read = await connector.read(bound, renderJson(args, known), limit)
    if (read.kind === 'failed') {
      const Failure = read.away ? SourceAway : SenseFailed
      throw new Failure(`\`${capability}\` could not be read: ${read.reason}`)
    }
    known = { ...known, [as]: read.body }
  }
  return known
}

/** What an earlier run sensed, in place of reading it again. What it did not sense is not made up. */
export function recall(
  operator: OperatorInForce,
  names: ExpressionNames,
  sensed: { readonly [name: string]: Json },
): ExpressionNames {
  const missing = operator.sense.find(({ as }) => !Object.hasOwn(sensed, as))
  if (missing) throw new SenseRefused(`the run recorded no \`${missing.as}\`, which the operator senses now`)
  return { ...names, ...sensed }
}
