import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface ScheduleName {
  readonly tenantId: TenantId
  readonly scheduleId: string
}

const insertTick = `
insert into fibric.schedule_tick (tenant_id, reseller_id, schedule_id, schedule, ticked_at)
select d.tenant_id, d.reseller_id, $2, $3, $4
  from fibric.domain d
 where d.tenant_id = $1
    on conflict (tenant_id, schedule_id) do nothing`

/** Begins a schedule that is new: its ticks up to `at` are nobody's. */
export async function ensureSchedule(tx: Transaction, name: ScheduleName, schedule: string, at: string): Promise<void> {
  await tx.execute(insertTick, [name.tenantId, name.scheduleId, schedule, at])
}

const lockTick = `select ticked_at from fibric.schedule_tick where tenant_id = $1 and schedule_id = $2 for update`

/** The last tick that is done with; whoever asks has the schedule until the transaction ends. */
export async function lockSchedule(tx: Transaction, { tenantId, scheduleId }: ScheduleName): Promise<string | null> {
  const rows = await tx.query<{ ticked_at: string }>(lockTick, [tenantId, scheduleId])
  return rows[0]?.ticked_at ?? null
}

const moveTick = `update fibric.schedule_tick set ticked_at = $3 where tenant_id = $1 and schedule_id = $2`

export async function moveSchedule(tx: Transaction, { tenantId, scheduleId }: ScheduleName, at: string): Promise<void> {
  await tx.execute(moveTick, [tenantId, scheduleId, at])
}
