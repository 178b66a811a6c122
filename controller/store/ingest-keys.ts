import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

/** Distinct from every other advisory lock of ours. */
const rotationLock = 7_230_411_804

const shareKeys = `select pg_advisory_xact_lock_shared(${rotationLock})`

/** Holds the generation of keys still until the transaction ends. Before, and in a statement of its own. */
export async function shareIngestKeys(tx: Transaction): Promise<void> {
  await tx.execute(shareKeys)
}

export interface Claim {
  readonly tenant_id: TenantId
  readonly source: string
  readonly idempotency_key: string
  /** The event that the key stands for. */
  readonly event_id: string
  readonly digest: Buffer
}

const selectClaims = `
select k.tenant_id, k.source, k.idempotency_key, k.event_id, k.digest
  from unnest($1::text[], $2::text[], $3::text[]) as w (tenant_id, source, idempotency_key)
 cross join fibric.ingest_generation g
  join fibric.ingest_key k on k.slot in (g.generation % 3, (g.generation + 2) % 3) and k.tenant_id = w.tenant_id
   and k.source = w.source and k.idempotency_key = w.idempotency_key
 order by k.slot = g.generation % 3`

/** Who holds these keys. A statement of its own: it sees what the one that lost waited for. */
export function readClaims(
  tx: Transaction,
  wanted: readonly { readonly tenantId: TenantId; readonly source: string; readonly key: string }[],
): Promise<Claim[]> {
  return tx.query<Claim>(selectClaims, [
    wanted.map((claim) => claim.tenantId),
    wanted.map((claim) => claim.source),
    wanted.map((claim) => claim.key),
  ])
}

const ownKeys = `select pg_advisory_xact_lock(${rotationLock})`

const nextGeneration = `
update fibric.ingest_generation
   set generation = generation + 1, began_at = now()
 where began_at + $1::bigint * interval '1 millisecond' <= now()
returning generation`

const emptySlot = `select fibric.empty_ingest_slot($1::smallint)`

/**
 * Begins the next generation of keys where this one is a window old, and drops the one before the last whole. Waits for
 * the appends that are under way. True when it did.
 */
export async function rotateIngestKeys(tx: Transaction, windowMs: number): Promise<boolean> {
  await tx.execute(ownKeys)
  const rows = await tx.query<{ generation: number }>(nextGeneration, [windowMs])
  const [begun] = rows
  if (!begun) return false
  await tx.execute(emptySlot, [(begun.generation + 1) % 3])
  return true
}
