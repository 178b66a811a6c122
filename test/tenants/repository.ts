import { fileURLToPath } from 'node:url'
import { builtinRules } from '../../controller/domain/builtin-rules.ts'
import { noFacts } from '../../controller/domain/counters.ts'
import { evaluate } from '../../controller/domain/gate.ts'
import { type Address, platformSlug, platformTenantId, type Slug, type TenantId } from '../../controller/domain/ids.ts'
import { People } from '../../controller/domain/people.ts'
import { Pools } from '../../controller/domain/pools.ts'
import type { ResourceContent } from '../../controller/domain/resource.ts'
import type { GateAction, Verdict } from '../../controller/domain/verdict.ts'
import { directoryTree, type LoadedRepository, loadRepository } from '../../schemas/load/index.ts'

/** The repository itself: `npm start` applies it. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Standing {
  readonly repository: LoadedRepository
  readonly contents: ReadonlyMap<Address, ResourceContent>
  readonly pools: Pools
  readonly people: People
}

/** A weekday at noon in Berlin, before the season's exception ends. */
export const noon = Date.parse('2026-11-25T11:00:00Z')

/** `tenants/` as it stands once everything is applied. */
export async function standing(): Promise<Standing> {
  const repository = await loadRepository(directoryTree(root))
  const contents = new Map<Address, ResourceContent>()
  const objects: Parameters<Pools['load']>[2][number][] = []
  for (const { address, slug, kind, digest } of repository.resources) {
    const content = await repository.content(address)
    contents.set(address, content)
    const owner = kind === 'Tenant' ? platformTenantId : tenantId(slug)
    objects.push({ address, owner, commit: null, digest, content })
  }
  const pools = new Pools({ builtin: builtinRules, replacement: null })
  for (const { slug } of repository.domains) {
    const id = tenantId(slug)
    pools.load(
      slug,
      id,
      objects.filter(({ owner }) => owner === id),
    )
  }
  return { repository, contents, pools, people: new People(objects) }
}

export function tenantId(slug: Slug): TenantId {
  return slug === platformSlug ? platformTenantId : (`t_${slug.replaceAll('-', '')}` as TenantId)
}

/** What the rules say of an action in a domain; whatever is not given is an operator's harmless default. */
export function judge(
  { pools }: Standing,
  slug: string,
  action: Partial<GateAction>,
  now = noon,
  facts = noFacts,
): Verdict {
  const tenant = slug as Slug
  const complete: GateAction = {
    capability: 'order.hold',
    connection: 'orders',
    entity: 'order:1',
    value: null,
    tier: 1,
    args: {},
    proposer: { kind: 'operator', name: action.operator ?? 'order-risk' },
    operator: 'order-risk',
    change: 'none',
    ...action,
  }
  const rules = pools.ruleSetFor(`${slug}/Operator/any` as Address)
  return evaluate(rules, complete, { event: null, tenant: pools.factsOf(tenant), now }, facts)
}
