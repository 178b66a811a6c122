import type { ActionId, TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

/** Somebody is to be told that an action ran: a rule that notifies let it through. */
export interface NewAlert {
  readonly tenant_id: TenantId
  readonly alert_id: string
  readonly action_id: ActionId
  readonly policy: string
  readonly rule: string
}

export interface AlertRow extends NewAlert {
  readonly raised_at: string
  readonly seen_at: string | null
  readonly seen_by: string | null
  readonly seen_reason: string | null
  readonly capability: string
  readonly entity_key: string
  /** Of the action. */
  readonly state: string
  readonly reasons: readonly string[]
}

// An action that is tried again has raised its alerts already.
const insertAlerts = `
insert into fibric.alert (tenant_id, reseller_id, alert_id, action_id, policy, rule, raised_at)
select w.tenant_id, a.reseller_id, w.alert_id, w.action_id, w.policy, w.rule, $2
  from jsonb_to_recordset($1::jsonb) as w (tenant_id text, alert_id text, action_id text, policy text, rule text)
  join fibric.action a on a.tenant_id = w.tenant_id and a.action_id = w.action_id
    on conflict (tenant_id, action_id, policy, rule) do nothing`

export async function writeAlerts(tx: Transaction, alerts: readonly NewAlert[], now: string): Promise<void> {
  if (alerts.length > 0) await tx.query(insertAlerts, [JSON.stringify(alerts), now])
}

const selectAlerts = `
select l.*, a.capability, a.entity_key, a.state, coalesce(a.verdict -> 'reasons', '[]') as reasons
  from fibric.alert l
  join fibric.action a on a.tenant_id = l.tenant_id and a.action_id = l.action_id
 where l.tenant_id = any($1)
   and ($2 or l.seen_at is null)
   and ($3::text is null or l.alert_id < $3)
   and ($4::text is null or l.alert_id = $4)
 order by l.alert_id desc
 limit $5`

/** Newest first: those nobody has seen, or all. */
export function readAlerts(
  tx: Transaction,
  query: {
    readonly tenants: readonly TenantId[]
    readonly all: boolean
    readonly before?: string | null
    readonly id?: string | null
    readonly limit: number
  },
): Promise<AlertRow[]> {
  const { tenants, all, before = null, id = null, limit } = query
  return tx.query<AlertRow>(selectAlerts, [tenants, all, before, id, limit])
}

const countUnseen = `select count(*)::int as count from fibric.alert where tenant_id = any($1) and seen_at is null`

export async function countAlerts(tx: Transaction, tenants: readonly TenantId[]): Promise<number> {
  const [row] = await tx.query<{ count: number }>(countUnseen, [tenants])
  return row!.count
}

const updateSeen = `
update fibric.alert
   set seen_at = $4, seen_by = $3, seen_reason = $5
 where tenant_id = $1
   and alert_id = $2
   and seen_at is null
returning alert_id`

/** False when somebody had seen it before. */
export async function markSeen(
  tx: Transaction,
  alert: {
    readonly tenant: TenantId
    readonly id: string
    readonly person: string
    readonly at: string
    readonly reason: string
  },
): Promise<boolean> {
  const { tenant, id, person, at, reason } = alert
  return (await tx.query(updateSeen, [tenant, id, person, at, reason])).length === 1
}
