import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface UsageRow {
  readonly what: 'events' | 'runs' | 'actions' | 'receipts'
  /** How it stands: the state of a run or an action, the kind of a ledger entry; null for events. */
  readonly kind: string | null
  readonly count: number
}

// Ids are made from the time, so a range of them is a range of time, and the primary keys find it.
const selectUsage = `
select 'events' as what, null as kind, count(*)::int as count
  from fibric.event_position
 where tenant_id = $1 and received_at >= $2 and received_at < $3
 union all
select 'runs', state, count(*)::int
  from fibric.run
 where tenant_id = $1 and run_id >= $4 and run_id < $5
 group by state
 union all
select 'actions', state, count(*)::int
  from fibric.action
 where tenant_id = $1 and action_id >= $6 and action_id < $7
 group by state
 union all
select 'receipts', case when kind = 'receipt' then 'receipt' else 'entry' end, count(*)::int
  from fibric.ledger_entry
 where tenant_id = $1 and entry_id >= $8 and entry_id < $9
 group by 2`

/** What a domain did between two instants; `ids` makes the first id of a kind at each of them. */
export function readUsage(
  tx: Transaction,
  tenant: TenantId,
  since: string,
  until: string,
  ids: (kind: 'run' | 'action' | 'receipt') => readonly [string, string],
): Promise<UsageRow[]> {
  return tx.query<UsageRow>(selectUsage, [tenant, since, until, ...ids('run'), ...ids('action'), ...ids('receipt')])
}
