import type { ActionId, Address, ReceiptId, TenantId } from '../domain/ids.ts'
import type { LedgerEntry } from '../domain/receipt.ts'
import type { Transaction } from './tenancy.ts'

const insertEntries = `
insert into fibric.ledger_entry (tenant_id, reseller_id, entry_id, kind, bytes, leaf, address, generation, vacates, about, created_at)
select $1, $2, w.entry_id, w.kind, w.bytes, w.leaf, w.address, w.generation, w.vacates, w.about, $3
  from unnest($4::text[], $5::text[], $6::bytea[], $7::bytea[], $8::text[], $9::bigint[], $10::text[], $11::text[])
    as w (entry_id, kind, bytes, leaf, address, generation, vacates, about)`

/** Appends entries without a position; the sequencer gives them theirs after the commit. */
export async function appendEntries(
  tx: Transaction,
  tenant: TenantId,
  resellerId: string | null,
  now: string,
  entries: readonly LedgerEntry[],
): Promise<void> {
  if (entries.length === 0) return
  await tx.query(insertEntries, [
    tenant,
    resellerId,
    now,
    entries.map((entry) => entry.id),
    entries.map((entry) => entry.kind),
    entries.map((entry) => entry.bytes),
    entries.map((entry) => entry.leaf),
    entries.map((entry) => entry.address),
    entries.map((entry) => entry.generation),
    entries.map((entry) => entry.vacates),
    entries.map((entry) => entry.about),
  ])
}

export interface HeadRow {
  readonly size: number
  readonly root: Buffer
  readonly frontier: readonly Buffer[]
  readonly low_xid: string
  readonly cluster: string
}

const insertHead = `
insert into fibric.ledger_head (tenant_id, size, root, frontier, low_xid, cluster, updated_at)
values ($1, 0, sha256(''), '{}', '0', (select system_identifier::text from pg_control_system()), $2)
    on conflict (tenant_id) do nothing`

// The head's row is the fence: one sequencer a domain at a time. Locked in a statement of its own, since a statement
// that both waits for a lock and looks things up looks them up in the snapshot from before the wait.
const lockHead = `
select size, root, frontier, low_xid::text, cluster
  from fibric.ledger_head
 where tenant_id = $1
   for update`

export async function lockLedgerHead(tx: Transaction, tenant: TenantId, now: string): Promise<HeadRow> {
  await tx.query(insertHead, [tenant, now])
  const rows = await tx.query<HeadRow>(lockHead, [tenant])
  return rows[0]!
}

// Every visible entry without a position, oldest transaction first. low_xid only bounds the scan: entries below it all
// have positions; it may rise to `horizon`, the oldest transaction this very snapshot could not see, when nothing visible
// is left over. It starts again at 0 in another cluster, where transaction ids mean something else. Each position is looked
// up by its key: as a join, a planner that knows nothing of the table yet compares every entry with every position.
const selectUnsequenced = `
select e.entry_id, e.leaf, pg_snapshot_xmin(pg_current_snapshot())::text as horizon
  from fibric.ledger_entry e
 where e.tenant_id = $1
   and e.xid >= case when $2 = (select system_identifier::text from pg_control_system()) then $3::bigint else 0 end
   and (select p.position from fibric.ledger_position p
         where p.tenant_id = e.tenant_id and p.entry_id = e.entry_id limit 1) is null
 order by e.xid, e.serial
 limit $4`

export function readUnsequenced(
  tx: Transaction,
  tenant: TenantId,
  head: HeadRow,
  limit: number,
): Promise<{ entry_id: ReceiptId; leaf: Buffer; horizon: string }[]> {
  return tx.query(selectUnsequenced, [tenant, head.cluster, head.low_xid, limit])
}

const selectUnsequencedLedgers = `
select d.tenant_id
  from unnest($1::text[]) as d (tenant_id)
  left join fibric.ledger_head h on h.tenant_id = d.tenant_id
 where exists (
   select from fibric.ledger_entry e
    where e.tenant_id = d.tenant_id
      and e.xid >= case when h.cluster = (select system_identifier::text from pg_control_system()) then h.low_xid else 0 end
      and (select p.position from fibric.ledger_position p
            where p.tenant_id = e.tenant_id and p.entry_id = e.entry_id limit 1) is null)`

/** Domains with entries that have no position yet. */
export async function readUnsequencedLedgers(tx: Transaction, tenants: readonly TenantId[]): Promise<TenantId[]> {
  const rows = await tx.query<{ tenant_id: TenantId }>(selectUnsequencedLedgers, [tenants])
  return rows.map((row) => row.tenant_id)
}

const insertPositions = `
insert into fibric.ledger_position (tenant_id, position, entry_id)
select $1, $2::bigint + w.ordinality - 1, w.entry_id
  from unnest($3::text[]) with ordinality as w (entry_id, ordinality)`

const updateHead = `
update fibric.ledger_head
   set size = $2, root = $3, frontier = $4, updated_at = $5,
       cluster = (select system_identifier::text from pg_control_system()),
       low_xid = coalesce($6::bigint, low_xid)
 where tenant_id = $1`

export async function advanceHead(
  tx: Transaction,
  tenant: TenantId,
  step: {
    readonly from: number
    readonly entries: readonly ReceiptId[]
    readonly size: number
    readonly root: Buffer
    readonly frontier: readonly Buffer[]
    /** Where the next look may start: the horizon of the look that left nothing over, else null. */
    readonly lowXid: string | null
    readonly now: string
  },
): Promise<void> {
  await tx.query(insertPositions, [tenant, step.from, step.entries])
  await tx.query(updateHead, [tenant, step.size, step.root, step.frontier, step.now, step.lowXid])
}

export interface EntryRow {
  readonly tenant_id: TenantId
  readonly entry_id: ReceiptId
  readonly kind: string
  readonly bytes: Buffer
  readonly leaf: Buffer
  readonly position: number | null
  readonly created_at: string
}

const selectEntries = `
select e.tenant_id, e.entry_id, e.kind, e.bytes, e.leaf, p.position, e.created_at
  from fibric.ledger_entry e
  left join fibric.ledger_position p on p.tenant_id = e.tenant_id and p.entry_id = e.entry_id
 where e.tenant_id = any($1)
   and ($2::text is null or e.entry_id = $2)
   and ($3::text is null or e.entry_id < $3)
 order by e.entry_id desc
 limit $4`

/** Entries of some domains, newest first; `before` is the id to go on from. */
export function readEntries(
  tx: Transaction,
  query: {
    readonly tenants: readonly TenantId[]
    readonly id?: string | null
    readonly before?: string | null
    readonly limit: number
  },
): Promise<EntryRow[]> {
  return tx.query<EntryRow>(selectEntries, [query.tenants, query.id ?? null, query.before ?? null, query.limit])
}

const selectEntriesAbout = `
select e.tenant_id, e.entry_id, e.kind, e.bytes, e.leaf, p.position, e.created_at
  from (select * from fibric.ledger_entry where tenant_id = any($1) and entry_id = any($2)
         union all
        select * from fibric.ledger_entry where tenant_id = any($1) and about = any($3) and entry_id <> all($2)) e
  left join fibric.ledger_position p on p.tenant_id = e.tenant_id and p.entry_id = e.entry_id
 order by e.entry_id
 limit 1000`

/** Entries by their ids, and those that speak of some actions. */
export function readEntriesAbout(
  tx: Transaction,
  tenants: readonly TenantId[],
  ids: readonly string[],
  actions: readonly ActionId[],
): Promise<EntryRow[]> {
  return tx.query<EntryRow>(selectEntriesAbout, [tenants, ids, actions])
}

const selectVersions = `
select e.entry_id, e.bytes, e.generation, e.created_at
  from fibric.ledger_entry e
 where e.tenant_id = $1
   and e.address = $2
   and ($3::bigint is null or e.generation < $3)
 order by e.generation desc
 limit $4`

/** Receipts of the changes of one address that were applied, newest first. */
export function readVersions(
  tx: Transaction,
  tenant: TenantId,
  address: Address,
  before: number | null,
  limit: number,
): Promise<(Pick<EntryRow, 'entry_id' | 'bytes' | 'created_at'> & { readonly generation: number })[]> {
  return tx.query(selectVersions, [tenant, address, before, limit])
}
