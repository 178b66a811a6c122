import { expect, test } from 'vitest'
import { bootstrapRule, breakGlassRule, builtinRules } from '../../controller/domain/builtin-rules.ts'
import { type Address, platformSlug, platformTenantId, type Slug, type TenantId } from '../../controller/domain/ids.ts'
import { type GoverningObject, Pools } from '../../controller/domain/pools.ts'

const acme = { slug: 'acme' as Slug, id: 't_acme' as TenantId }

function policy(slug: string, name: string, content = true): GoverningObject {
  const owner = slug === '_platform' ? platformTenantId : acme.id
  const rules = [{ id: name, match: { capability: 'config.**' }, decision: 'ALLOW' }]
  const document = { kind: 'TrustPolicy', metadata: { name }, spec: { rules } }
  return {
    address: `${slug}/TrustPolicy/${name}` as Address,
    owner,
    commit: null,
    digest: `sha256:${name}` as never,
    content: content ? document : null,
  }
}

function pools(
  own: readonly GoverningObject[] = [policy('acme', 'own')],
  shared = [policy('_platform', 'shared')],
  extra = builtinRules,
): Pools {
  const all = new Pools({ builtin: extra, replacement: null })
  all.load(platformSlug, platformTenantId, shared)
  all.load(acme.slug, acme.id, own)
  return all
}

const names = (all: Pools, address: string): string[] =>
  all
    .rulesFor(address as Address)
    .map(({ ruleId }) => ruleId)
    .sort()

test('a tenant is judged by its own rules, those of the platform and the built-in ones; the platform by its own alone', () => {
  expect(names(pools(), 'acme/Role/x')).toEqual(['model-high-tier', 'own', 'shared'])
  expect(names(pools(), '_platform/Role/x')).toEqual(['model-high-tier', 'shared'])
  expect(names(pools(), 'acme/Tenant/acme')).toEqual(['model-high-tier', 'shared'])
})

test('rules that cannot be read let nothing through: those of the platform nowhere, those of a tenant not there', () => {
  const shared = pools([policy('acme', 'own')], [policy('_platform', 'shared', false)])
  expect(names(shared, 'acme/Role/x')).toEqual([])
  expect(names(shared, '_platform/Role/x')).toEqual([])
  const own = pools([policy('acme', 'own', false)])
  expect(names(own, 'acme/Role/x')).toEqual([])
  expect(names(own, '_platform/Role/x')).toEqual(['model-high-tier', 'shared'])
})

test('break-glass speaks where the rules cannot be read', () => {
  const broken = pools(
    [],
    [policy('_platform', 'shared', false)],
    [...builtinRules, breakGlassRule('2026-03-02T10:00:00Z')],
  )
  expect(names(broken, 'acme/Role/x')).toEqual(['break-glass'])
})

test('bootstrap speaks instead of everything, and not in what stands once genesis is over', () => {
  const genesis = new Pools({ builtin: builtinRules, replacement: bootstrapRule })
  genesis.load(platformSlug, platformTenantId, [policy('_platform', 'shared')])
  expect(names(genesis, '_platform/Role/x')).toEqual(['bootstrap'])
  expect(names(genesis.copy(), '_platform/Role/x')).toEqual(['bootstrap'])
  expect(names(genesis.afterGenesis(), '_platform/Role/x')).toEqual(['model-high-tier', 'shared'])
})

test('a policy that is put, renamed or taken away moves what is asked next, and no copy made before', () => {
  const all = pools()
  const before = all.ruleSetFor('acme/Role/x' as Address).digest
  const copy = all.copy()
  const renamed = policy('acme', 'renamed')
  all.replace(renamed.address, 'acme/TrustPolicy/own' as Address, renamed)
  expect(names(all, 'acme/Role/x')).toEqual(['model-high-tier', 'renamed', 'shared'])
  expect(all.ruleSetFor('acme/Role/x' as Address).digest).not.toBe(before)
  expect(copy.ruleSetFor('acme/Role/x' as Address).digest).toBe(before)
  all.replace('_platform/TrustPolicy/shared' as Address, null, null)
  expect(names(all, 'acme/Role/x')).toEqual(['model-high-tier', 'renamed'])
})

test('what a plan would make of the rules leaves them as they are', () => {
  const all = pools()
  const more = policy('acme', 'more')
  expect(names(all.with(more.address, null, more), 'acme/Role/x')).toContain('more')
  expect(names(all, 'acme/Role/x')).not.toContain('more')
})

test('the governors of a change are the policies whose rules gate it', () => {
  expect(pools().governors('acme/Role/x' as Address)).toEqual(['_platform/TrustPolicy/shared', 'acme/TrustPolicy/own'])
  expect(pools().governors('acme/Tenant/acme' as Address)).toEqual(['_platform/TrustPolicy/shared'])
})
