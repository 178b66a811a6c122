import type { Address } from '../domain/ids.ts'
import type { Verdict } from '../domain/verdict.ts'
import type { Engine } from '../engine.ts'
import { listWaiting } from './plans.ts'
import { listState } from './state.ts'

/** What keeps an address from moving on, in words, and what would end the wait. Empty: nothing does. */
export async function whyWaiting(engine: Engine, address: Address): Promise<string[]> {
  const reasons: string[] = []
  for (const action of await listWaiting(engine, null)) {
    if (action.entity_key !== address) continue
    if (action.state !== 'held') {
      reasons.push(`${action.capability} ${action.cause ?? `is ${action.state}`} (${action.action_id})`)
      continue
    }
    const verdict = action.verdict as unknown as Verdict
    const given = action.approvals.map((approval) => approval.person)
    for (const hold of verdict.holds.filter((each) => each.mode === 'hold')) {
      const role = hold.approvers.role ?? 'any role that approves'
      reasons.push(
        `${action.capability} waits for ${hold.approvers.quorum} approvals of role \`${role}\` by rule ${hold.policy}#${hold.rule}` +
          `${given.length > 0 ? `, given by ${given.join(', ')}` : ''}, until ${action.expires_at}: ` +
          `fibric plans approve ${action.action_id}`,
      )
    }
  }
  const state = (await listState(engine, { tenant: null })).find((object) => object.address === address)
  for (const condition of state?.conditions ?? []) {
    if (condition.type === 'Suspended') reasons.push(`suspended: ${condition.message}: fibric resume ${address}`)
    if (condition.type === 'Drifted' && condition.status === 'True')
      reasons.push(`drifted: ${condition.message}: fibric drift --heal`)
  }
  return reasons
}
