import { kindOf } from '../../domain/address.ts'
import { bootstrapRule, breakGlassRule, builtinRules } from '../../domain/builtin-rules.ts'
import { type Address, platformSlug, platformTenantId, type TenantId } from '../../domain/ids.ts'
import { People, peopleKinds } from '../../domain/people.ts'
import { type GoverningObject, governingKinds, Pools } from '../../domain/pools.ts'
import type { ResourceContent } from '../../domain/resource.ts'
import type { DomainRow } from '../../store/domains.ts'
import { type ReceiptedObject, readReceipted } from '../../store/objects.ts'
import { readBreakGlass } from '../../store/runtime-records.ts'
import type { Transaction } from '../../store/tenancy.ts'
import type { Restored, RulesInForce } from './run.ts'

/** Whether a change of this object moves what the gate answers, or who may approve. */
export function movesRules(address: Address): boolean {
  const kind = kindOf(address)
  return governingKinds.includes(kind) || peopleKinds.includes(kind)
}

/**
 * The rules and the people of `_platform` and of the domains named, by receipted digest. `restored` answers for content
 * that is gone and would come back with the plan at hand.
 */
export async function readRules(
  tx: Transaction,
  genesis: boolean,
  domains: readonly DomainRow[],
  epochs: ReadonlyMap<TenantId, number>,
  now: Date,
  restored: Restored = () => null,
): Promise<RulesInForce> {
  const breakGlass = await readBreakGlass(tx, now.toISOString())
  const rules: RulesInForce = {
    pools: new Pools({
      builtin: breakGlass ? [...builtinRules, breakGlassRule(breakGlass.until)] : builtinRules,
      replacement: genesis ? bootstrapRule : null,
    }),
    people: new People(),
    epochs: new Map(),
  }
  const platform = { tenant_id: platformTenantId, slug: platformSlug }
  const wanted = [platform, ...domains.filter((domain) => domain.tenant_id !== platformTenantId)]
  await readDomainRules(tx, rules, wanted, epochs, restored)
  return rules
}

/** Adds the rules and the people of some domains to those at hand, or reads them again. */
export async function readDomainRules(
  tx: Transaction,
  rules: RulesInForce,
  domains: readonly Pick<DomainRow, 'tenant_id' | 'slug'>[],
  epochs: ReadonlyMap<TenantId, number>,
  restored: Restored = () => null,
): Promise<void> {
  const tenants = domains.map((domain) => domain.tenant_id)
  const rows = await readReceipted(tx, tenants, [...governingKinds, ...peopleKinds])
  const byOwner = Map.groupBy(rows, (row) => row.tenant_id)
  for (const domain of domains) {
    const objects = (byOwner.get(domain.tenant_id) ?? []).map((row) => governing(row, restored))
    rules.pools.load(
      domain.slug,
      domain.tenant_id,
      objects.filter((object) => governingKinds.includes(kindOf(object.address))),
    )
    for (const object of objects) rules.people.replace(object.address, null, object)
    rules.epochs.set(domain.tenant_id, epochs.get(domain.tenant_id) ?? 0)
  }
}

function governing(object: ReceiptedObject, restored: Restored): GoverningObject {
  return {
    address: object.address,
    owner: object.tenant_id,
    commit: object.commit_sha,
    digest: object.digest,
    content: object.bytes ? (JSON.parse(object.bytes.toString('utf8')) as ResourceContent) : restored(object),
  }
}
