import { kindOf, slugOf } from './address.ts'
import { type Change, capabilityOf, isHeal, verbOf } from './change.ts'
import type { ChangeContents } from './classify.ts'
import { type Facts, noFacts } from './counters.ts'
import { changedFields } from './field-diff.ts'
import { evaluate } from './gate.ts'
import type { Principal } from './identity.ts'
import type { Authority } from './plan.ts'
import type { Pools } from './pools.ts'
import type { GateAction, GateEnvelope, Verdict } from './verdict.ts'

/** The role of the builtin connection that carries configuration changes out. */
export const configConnection = 'fibric'

/** A configuration change as the trust gate sees it. Deletions are tier 2, everything else tier 1. */
export function gateActionOf(
  change: Change,
  authority: Authority,
  contents: ChangeContents,
  proposer: Principal,
): GateAction {
  const labels = (contents.after ?? contents.before)?.metadata.labels ?? {}
  return {
    capability: capabilityOf(change),
    connection: configConnection,
    entity: change.address,
    value: null,
    tier: verbOf(change) === 'delete' ? 2 : 1,
    args: {
      address: change.address,
      tenant: slugOf(change.address),
      kind: kindOf(change.address),
      name: change.address.slice(change.address.lastIndexOf('/') + 1),
      change: verbOf(change),
      heal: isHeal(change),
      labels,
      fields: changedFields(contents.before, contents.after),
    },
    proposer,
    operator: null,
    change: authority.class,
  }
}

export function envelopeOf(change: Change, pools: Pools, nowMs: number): GateEnvelope {
  return { event: null, tenant: pools.factsOf(slugOf(change.address)), now: nowMs }
}

/** The gate's answer under the rules in force now, whatever counts `facts` holds. */
export function verdictOf(
  change: Change,
  authority: Authority,
  contents: ChangeContents,
  proposer: Principal,
  pools: Pools,
  nowMs: number,
  facts: Facts = noFacts,
): Verdict {
  const action = gateActionOf(change, authority, contents, proposer)
  return evaluate(pools.ruleSetFor(change.address), action, envelopeOf(change, pools, nowMs), facts)
}
