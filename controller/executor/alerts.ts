import { randomBytes } from 'node:crypto'
import { type ActionId, mintId, type TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Verdict } from '../domain/verdict.ts'
import type { NewAlert } from '../store/alerts.ts'

/** What an action that runs raises: an alert for each rule that notifies. Written with what lets the action run. */
export function alertsOf(tenant: TenantId, action: ActionId, judged: JsonObject | null, now: Date): NewAlert[] {
  const verdict = judged as unknown as Verdict | null
  const told = (verdict?.holds ?? []).filter(({ mode }) => mode === 'notify')
  return told.map(({ policy, rule }) => ({
    tenant_id: tenant,
    alert_id: mintId('alert', now.getTime(), randomBytes(10)),
    action_id: action,
    policy,
    rule,
  }))
}
