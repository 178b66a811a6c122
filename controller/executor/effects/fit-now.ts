import type { Bound, EffectConnector, PlannedEffect } from './connector.ts'
import type { Effect } from './effect.ts'

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
