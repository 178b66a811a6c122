import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

/** Stored events that one consumer gets again. */
export interface ReplayRow {
  readonly tenant_id: TenantId
  readonly replay_id: string
  readonly consumer: string
  readonly from_position: number
  readonly to_position: number
  /** Globs; an event whose type matches none of them is passed over. */
  readonly types: readonly string[]
  readonly position: number
  readonly person: string
  readonly created_at: string
  readonly ended_at: string | null
}

const insertReplay = `
with rung as (
  update fibric.event_lane set replays = replays + 1 where tenant_id = $1
)
insert into fibric.event_replay (tenant_id, reseller_id, replay_id, consumer, from_position, to_position, types, position, person, created_at)
select d.tenant_id, d.reseller_id, $2, $3, $4, $5, $6, $4::bigint - 1, $7, $8
  from fibric.domain d
 where d.tenant_id = $1`

/** Begins a replay, and has its consumer look for it wherever it is followed. */
export async function writeReplay(tx: Transaction, replay: Omit<ReplayRow, 'position' | 'ended_at'>): Promise<void> {
  await tx.execute(insertReplay, [
    replay.tenant_id,
    replay.replay_id,
    replay.consumer,
    replay.from_position,
    replay.to_position,
    replay.types,
    replay.person,
    replay.created_at,
  ])
}

const selectOpenReplays = `
select tenant_id, replay_id, consumer, from_position, to_position, types, position, person, created_at, ended_at
  from fibric.event_replay
 where tenant_id = $1
   and consumer = $2
   and ended_at is null
 order by replay_id`

/** Replays of a consumer that are not at their end, oldest first. */
export function readOpenReplays(tx: Transaction, tenant: TenantId, consumer: string): Promise<ReplayRow[]> {
  return tx.query<ReplayRow>(selectOpenReplays, [tenant, consumer])
}
