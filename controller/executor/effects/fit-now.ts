import { isDeepStrictEqual } from 'node:util'
import type { Bound, EffectConnector, PlannedEffect } from './connector.ts'
import type { Effect, EffectFacts } from './effect.ts'
import { boundFacts } from './propose.ts'

/** What would be sent, or why nothing can be. */
export type Fitted = { readonly bound: Bound; readonly planned: PlannedEffect } | { readonly problem: string }

/** The binding as it is now, or was at the first attempt; what was judged must still be what will be done. */
export async function fitNow(connector: EffectConnector, { row, facts, attempt }: Effect): Promise<Fitted> {
  const { connection, connector: definition, connectorDigest, connectionDigest } = facts
  const ends = row.source.unregisters === true && connection && definition
  const pinned =
    ((attempt && row.attempts > 0) || ends) && connectorDigest && connectionDigest
      ? { connectorDigest, connectionDigest, ...(ends && { gone: { connection, connector: definition } }) }
      : null
  const name = facts.connection?.split('/').at(-1) ?? null
  const bound = await connector.resolve(row.tenant_id, row.capability, name, pinned)
  if (bound.kind === 'unbound') return { problem: bound.reason }
  const planned = connector.plan(bound, row.args)
  if ('problem' in planned) return planned
  const sameValue =
    facts.value === null || planned.value === null || JSON.stringify(planned.value) === JSON.stringify(facts.value)
  if (planned.entityKey !== row.entity_key || planned.tier !== row.tier || !sameValue) {
    return {
      problem: `the connector gives \`${row.capability}\` another entity, value or tier than when it was judged`,
    }
  }
  if (pinned && planned.requestDigest !== facts.requestDigest) {
    return { problem: 'the request is not the one of the first attempt any more' }
  }
  return { bound, planned }
}

/**
 * The facts of an action that was not sent yet, where the connector or the connection has moved since they were noted; null
 * where they have not. What is sent first is what is in force then, and what every later attempt is bound to.
 */
export function movedFacts(
  facts: EffectFacts,
  { bound, planned }: Extract<Fitted, { bound: Bound }>,
): EffectFacts | null {
  const moved = { ...facts, ...boundFacts(bound, planned) }
  return isDeepStrictEqual(moved, facts) ? null : moved
}
