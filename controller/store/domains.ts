import type { Slug, TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface DomainRow {
  readonly tenant_id: TenantId
  readonly reseller_id: string | null
  readonly slug: Slug
  readonly ledger_id: string
  readonly rules_epoch: number
}

const selectDomains = `
select tenant_id, reseller_id, slug, ledger_id, rules_epoch
  from fibric.domain
 where state = 'active'
 order by slug`

/** Every active domain, or under the application login those its context may see. */
export function readDomains(tx: Transaction): Promise<DomainRow[]> {
  return tx.query<DomainRow>(selectDomains)
}

const selectDomain = `
select tenant_id, reseller_id, slug, ledger_id, rules_epoch
  from fibric.domain
 where tenant_id = $1
   and state = 'active'`

/** One active domain; null where there is none of that id. */
export async function readDomain(tx: Transaction, tenant: TenantId): Promise<DomainRow | null> {
  const [row] = await tx.query<DomainRow>(selectDomain, [tenant])
  return row ?? null
}

const selectDeleted = `
select tenant_id, reseller_id, slug, ledger_id, rules_epoch
  from fibric.domain
 where state = 'deleted'
 order by tenant_id`

/** Domains whose Tenant is gone: they keep their id and their ledger; their slug may be another's by now. */
export function readDeletedDomains(tx: Transaction): Promise<DomainRow[]> {
  return tx.query(selectDeleted)
}

const selectDomainBySlug = `
select tenant_id, reseller_id, slug, ledger_id, rules_epoch
  from fibric.domain
 where slug = $1
   and state = 'active'`

/** The active domain of a slug; null where there is none. */
export async function findDomain(tx: Transaction, slug: string): Promise<DomainRow | null> {
  const [row] = await tx.query<DomainRow>(selectDomainBySlug, [slug])
  return row ?? null
}

const selectLedgerOwners = `select tenant_id from fibric.domain`

/** Every domain that has a ledger: those that are gone keep theirs. */
export async function readLedgerOwners(tx: Transaction): Promise<TenantId[]> {
  const rows = await tx.query<{ tenant_id: TenantId }>(selectLedgerOwners)
  return rows.map((row) => row.tenant_id)
}

const lockEpochsForShare = `
select tenant_id, rules_epoch
  from fibric.domain
 where tenant_id = any($1)
 order by tenant_id
   for share`

const lockEpochsForUpdate = lockEpochsForShare.replace('for share', 'for no key update')

/**
 * The rules' epochs of some domains, held until the transaction ends: a batch gated under an epoch commits before the
 * rules can move. A batch that itself moves rules must ask for `update`, or two of them would wait for each other.
 */
export async function lockRulesEpochs(
  tx: Transaction,
  tenants: readonly TenantId[],
  mode: 'share' | 'update',
): Promise<Map<TenantId, number>> {
  const sql = mode === 'share' ? lockEpochsForShare : lockEpochsForUpdate
  const rows = await tx.query<{ tenant_id: TenantId; rules_epoch: number }>(sql, [tenants])
  return new Map(rows.map((row) => [row.tenant_id, row.rules_epoch]))
}

const bumpEpoch = `update fibric.domain set rules_epoch = rules_epoch + 1 where tenant_id = $1`

export async function bumpRulesEpoch(tx: Transaction, tenant: TenantId): Promise<void> {
  await tx.query(bumpEpoch, [tenant])
}

const insertDomain = `
insert into fibric.domain (tenant_id, reseller_id, slug, ledger_id, state, created_at)
values ($1, $2, $3, $4, 'active', $5)`

export async function createDomain(
  tx: Transaction,
  domain: { tenantId: TenantId; resellerId: string | null; slug: Slug; ledgerId: string; now: string },
): Promise<void> {
  await tx.query(insertDomain, [domain.tenantId, domain.resellerId, domain.slug, domain.ledgerId, domain.now])
}

const updateReseller = `update fibric.domain set reseller_id = $2 where slug = $1 and state = 'active'`

export async function moveDomainToReseller(tx: Transaction, slug: Slug, resellerId: string | null): Promise<void> {
  await tx.query(updateReseller, [slug, resellerId])
}

const closeDomainRow = `update fibric.domain set state = 'deleted' where slug = $1 and state = 'active'`

/** The slug is free again; the id, the rows and the ledger stay. */
export async function closeDomain(tx: Transaction, slug: Slug): Promise<void> {
  await tx.query(closeDomainRow, [slug])
}
