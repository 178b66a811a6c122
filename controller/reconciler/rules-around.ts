import { slugOf } from '../domain/address.ts'
import type { Change } from '../domain/change.ts'
import type { ChangeContents } from '../domain/classify.ts'
import { platformSlug, platformTenantId } from '../domain/ids.ts'
import type { Standing } from '../domain/lock-out.ts'
import { ledgerSlugOf } from '../domain/sequence.ts'
import { readRules } from '../executor/config/rules-in-force.ts'
import type { Restored, RulesInForce } from '../executor/config/run.ts'
import type { Database } from '../store/connect.ts'
import type { DomainRow } from '../store/domains.ts'
import type { Actual } from './actual.ts'
import { governingObject } from './plan.ts'

/** The rules of `_platform` and of every domain that changes; content that is gone is taken from the plan, to the digest. */
export async function readRulesFor(
  database: Database,
  actual: Actual,
  changes: readonly Change[],
  genesis: boolean,
  contents: (change: Change) => ChangeContents,
  now: Date,
): Promise<RulesInForce> {
  const slugs = new Set([
    platformSlug,
    ...changes.map((change) => slugOf(change.address)),
    ...changes.map((change) => ledgerSlugOf(change.address)),
  ])
  const domains = [...slugs].flatMap((slug): DomainRow[] => {
    const domain = actual.domains.get(slug)
    return domain ? [domain] : []
  })
  const tenants = domains.map((domain) => domain.tenant_id)
  return database.asWorker(
    [...new Set([platformTenantId, ...tenants])],
    (tx) => readRules(tx, genesis, domains, new Map(), now, restoredBy(changes, contents)),
    { access: 'read only', isolation: 'repeatable read' },
  )
}

/** What a plan knows of content that is gone from the store: a document whose digest is that of the receipt. */
export function restoredBy(changes: readonly Change[], contents: (change: Change) => ChangeContents): Restored {
  const byAddress = new Map(changes.map((change) => [change.address, change]))
  return (object) => {
    const change = byAddress.get(object.address)
    return change && change.digestBefore === object.digest ? contents(change).before : null
  }
}

/** Rules and people as they would stand were every change of the plan applied. */
export function standingAfter(
  rules: Pick<RulesInForce, 'pools' | 'people'>,
  changes: readonly Change[],
  contents: (change: Change) => ChangeContents,
): Standing {
  const pools = rules.pools.copy()
  const people = rules.people.copy()
  for (const change of changes) {
    const object = governingObject(change, contents(change).after, pools, null)
    pools.replace(change.address, change.addressBefore, object)
    people.replace(change.address, change.addressBefore, object)
  }
  return { pools: pools.afterGenesis(), people }
}
