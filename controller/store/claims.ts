import type { ActionId, Digest, ReceiptId, TenantId } from '../domain/ids.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import type { LedgerEntry } from '../domain/receipt.ts'
import type { Transaction } from './tenancy.ts'

/** A row that a rate or a budget reads, as the gate saw it: the claim is good only while it still reads so. */
export interface Guard {
  readonly capability: string
  readonly dimension: string
  readonly value: string
  /** First epoch minute of what was read. */
  readonly since: number
  readonly count: number
  readonly total: string
}

/** One effect in one minute of one counter. */
export interface Count {
  readonly capability: string
  readonly dimension: string
  readonly value: string
  readonly minute: number
  readonly currency: string
  readonly amount: string
}

export interface ClaimItem {
  readonly tenantId: TenantId
  readonly actionId: ActionId
  readonly entityKey: string
  /** Null: it is recorded in this very transaction, once its claim is answered. */
  readonly expected: string | null
  readonly become: string
  readonly idempotencyKey: string
  readonly argsDigest: Digest
  readonly authored: boolean
  readonly withinMs: number | null
  /** Null where no rule was asked. */
  readonly epoch: number | null
  readonly operator: string | null
  readonly capability: string
  /** Address of the Connection, which a stop may name. */
  readonly connection: string | null
  readonly leaseMs: number
  readonly verdict: JsonObject | null
  readonly facts: Json | null
  readonly policyDigest: Digest | null
  readonly attempt: JsonObject | null
  readonly cause: string | null
  readonly expiresAt: string | null
  /** Of an end that needs no effect. */
  readonly receipt: LedgerEntry | null
  readonly guards: readonly Guard[]
  readonly counts: readonly Count[]
}

export interface Claimed {
  readonly item: number
  readonly result: 'done' | 'gone' | 'regate' | 'stopped' | 'busy' | 'broken' | 'duplicate'
  readonly fence: number | null
  /** The action that has the entity, or the stop. */
  readonly detail: string | null
}

const claim = `
select item, result, fence, detail
  from fibric.claim_effects($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[],
       $9::bigint[], $10::bigint[], $11, $12::text[], $13::text[], $14::text[], $15::integer[], $16::text[], $17::text[],
       $18::text[], $19::text[], $20::text[], $21::timestamptz[], $22::text[], $23::text[], $24::bytea[], $25::bytea[],
       $26::jsonb, $27::jsonb, $28)`

/** Takes actions one step on, all or those that still may: see `claim_effects`. No two items of one entity or one key. */
export function claimEffects(
  tx: Transaction,
  items: readonly ClaimItem[],
  platformEpoch: number,
  now: string,
): Promise<Claimed[]> {
  const of = <T>(read: (item: ClaimItem) => T): T[] => items.map(read)
  return tx.query<Claimed>(claim, [
    of((item) => item.tenantId),
    of((item) => item.actionId),
    of((item) => item.entityKey),
    of((item) => item.expected),
    of((item) => item.become),
    of((item) => item.idempotencyKey),
    of((item) => item.argsDigest),
    of((item) => item.authored),
    of((item) => item.withinMs),
    of((item) => item.epoch),
    platformEpoch,
    of((item) => item.operator),
    of((item) => item.capability),
    of((item) => item.connection),
    of((item) => item.leaseMs),
    of((item) => item.verdict && JSON.stringify(item.verdict)),
    of((item) => (item.facts === null ? null : JSON.stringify(item.facts))),
    of((item) => item.policyDigest),
    of((item) => item.attempt && JSON.stringify(item.attempt)),
    of((item) => item.cause),
    of((item) => item.expiresAt),
    of((item) => item.receipt?.id ?? null),
    of((item) => item.receipt?.kind ?? null),
    of((item) => item.receipt?.bytes ?? null),
    of((item) => item.receipt?.leaf ?? null),
    numbered(of((item) => item.guards)),
    numbered(of((item) => item.counts)),
    now,
  ])
}

export interface SettleItem {
  readonly tenantId: TenantId
  readonly actionId: ActionId
  readonly entityKey: string
  readonly idempotencyKey: string
  readonly expected: string
  /** Null where nobody took it on yet. */
  readonly fence: number | null
  readonly become: string
  readonly attempt: JsonObject | null
  readonly cause: string | null
  /** When it is to be looked at again; null: never. */
  readonly dueMs: number | null
  readonly keepsEntity: boolean
  /** Of a terminal state. */
  readonly receiptId: ReceiptId | null
  readonly entry: LedgerEntry | null
  /** Reservations given back. */
  readonly releases: readonly Count[]
}

const settle = `
select item
  from fibric.settle_effects($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
       $9::text[], $10::bigint[], $11::boolean[], $12::text[], $13::text[], $14::text[], $15::bytea[], $16::bytea[],
       $17::jsonb, $18)`

/** Writes what attempts came to. Answers the indexes of those whose fence was still good. */
export async function settleEffects(tx: Transaction, items: readonly SettleItem[], now: string): Promise<Set<number>> {
  const of = <T>(read: (item: SettleItem) => T): T[] => items.map(read)
  const rows = await tx.query<{ item: number }>(settle, [
    of((item) => item.tenantId),
    of((item) => item.actionId),
    of((item) => item.entityKey),
    of((item) => item.idempotencyKey),
    of((item) => item.expected),
    of((item) => item.fence),
    of((item) => item.become),
    of((item) => item.attempt && JSON.stringify(item.attempt)),
    of((item) => item.cause),
    of((item) => item.dueMs),
    of((item) => item.keepsEntity),
    of((item) => item.receiptId),
    of((item) => item.entry?.id ?? null),
    of((item) => item.entry?.kind ?? null),
    of((item) => item.entry?.bytes ?? null),
    of((item) => item.entry?.leaf ?? null),
    numbered(of((item) => item.releases)),
    now,
  ])
  return new Set(rows.map((row) => row.item - 1))
}

/** Lists of several items as one, each row with the number PostgreSQL knows its item by. */
function numbered(lists: readonly (readonly object[])[]): string | null {
  const rows = lists.flatMap((list, index) => list.map((row) => ({ i: index + 1, ...row })))
  return rows.length === 0 ? null : JSON.stringify(rows)
}

const selectClaims = `
select c.tenant_id, c.idempotency_key, c.action_id, c.args_digest, c.authored, c.binds_until
  from unnest($1::text[], $2::text[]) as w (tenant_id, idempotency_key)
  join fibric.effect_claim c on c.tenant_id = w.tenant_id and c.idempotency_key = w.idempotency_key`

export interface ClaimRow {
  readonly tenant_id: TenantId
  readonly idempotency_key: string
  readonly action_id: ActionId
  readonly args_digest: Digest
  readonly authored: boolean
  readonly binds_until: string | null
}

/** Who has some keys. */
export function readClaims(
  tx: Transaction,
  keys: readonly { readonly tenantId: TenantId; readonly key: string }[],
): Promise<ClaimRow[]> {
  return tx.query<ClaimRow>(selectClaims, [keys.map((each) => each.tenantId), keys.map((each) => each.key)])
}
