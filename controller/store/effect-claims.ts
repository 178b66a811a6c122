import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

// Never back: a claim that is gone stays gone.
const noteHorizon = `
update fibric.event_lane
   set claims_from = greatest(claims_from, $2::timestamptz)
 where tenant_id = $1`

const deleteClaims = `
delete from fibric.effect_claim c
 where c.tenant_id = $1
   and c.claimed_at < $2
   and (c.binds_until is null or c.binds_until < now())
   and not exists (select from fibric.action a
                    where a.tenant_id = c.tenant_id
                      and a.action_id = c.action_id
                      and a.state in ('planned', 'held', 'intent', 'waiting', 'unknown', 'reconciling', 'manual'))`

/** Lets go of the idempotency keys of effects that ended, claimed before an instant, and notes how far back they reach. */
export async function dropEffectClaims(tx: Transaction, tenant: TenantId, before: string): Promise<number> {
  await tx.execute(noteHorizon, [tenant, before])
  return tx.execute(deleteClaims, [tenant, before])
}

const selectHorizon = `select claims_from from fibric.event_lane where tenant_id = $1`

/** Since when every claimed key is kept; null: since ever. */
export async function readClaimHorizon(tx: Transaction, tenant: TenantId): Promise<string | null> {
  const rows = await tx.query<{ claims_from: string | null }>(selectHorizon, [tenant])
  return rows[0]?.claims_from ?? null
}
