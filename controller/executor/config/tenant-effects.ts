import { randomBytes } from 'node:crypto'
import { kindOf, slugOf } from '../../domain/address.ts'
import { verbOf } from '../../domain/change.ts'
import { type Address, platformSlug, platformTenantId, type Slug, type TenantId } from '../../domain/ids.ts'
import { closeDomain, createDomain, moveDomainToReseller } from '../../store/domains.ts'
import { readObjectIds } from '../../store/objects.ts'
import type { Transaction } from '../../store/tenancy.ts'
import type { Written } from './record.ts'
import { newId, type Run } from './run.ts'

/**
 * What an applied Tenant document does beyond its own row: a domain is born with an id that is never used again, moves
 * to another reseller, or closes. Its ledger stays.
 */
export async function effectOnDomains(
  run: Run,
  tx: Transaction,
  applied: readonly Written[],
  now: Date,
): Promise<void> {
  for (const row of applied) {
    const { change } = row
    if (kindOf(change.address) !== 'Tenant') continue
    const slug = slugOf(change.address)
    if (verbOf(change) === 'delete') {
      await closeDomain(tx, slug)
      run.domains.delete(slug)
      continue
    }
    const resellerId = await resellerIdOf(tx, run, slug)
    const existing = run.domains.get(slug)
    if (existing) {
      if (existing.reseller_id === resellerId) continue
      await moveDomainToReseller(tx, slug, resellerId)
      run.domains.set(slug, { ...existing, reseller_id: resellerId })
    } else {
      await bearDomain(run, tx, slug, resellerId, now)
    }
  }
}

async function bearDomain(run: Run, tx: Transaction, slug: Slug, resellerId: string | null, now: Date): Promise<void> {
  const tenantId = newId<TenantId>('tenant', now)
  const ledgerId = `l_${randomBytes(16).toString('hex')}`
  await createDomain(tx, { tenantId, resellerId, slug, ledgerId, now: now.toISOString() })
  run.domains.set(slug, { tenant_id: tenantId, reseller_id: resellerId, slug, ledger_id: ledgerId, rules_epoch: 1 })
  // The pools knew the tenant by its slug alone.
  run.rules = null
}

async function resellerIdOf(tx: Transaction, run: Run, slug: Slug): Promise<string | null> {
  const reseller = run.rules?.pools.factsOf(slug).reseller ?? null
  if (reseller === null) return null
  const address = `${platformSlug}/Reseller/${reseller}` as Address
  return (await readObjectIds(tx, platformTenantId, [address])).get(address) ?? null
}
