import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { noFacts } from '../../controller/domain/counters.ts'
import { judgeLockOut } from '../../controller/domain/lock-out.ts'
import type { TrustRule } from '../../controller/domain/rules.ts'
import { formatFile } from '../../schemas/format/index.ts'
import { exportSchemas } from '../../schemas/index.ts'
import { renderDiagnostics } from '../../schemas/load/index.ts'
import { judge, noon, root, type Standing, standing } from './repository.ts'

let state: Standing
beforeAll(async () => {
  state = await standing()
})

test('validates without an error or a warning, every capability resolved', () => {
  const { diagnostics } = state.repository
  expect(renderDiagnostics(diagnostics, { color: false })).toBe('')
  expect(diagnostics).toEqual([])
})

test('is written as `fibric fmt` writes it', () => {
  const paths = new Set(state.repository.resources.map(({ source }) => source.path))
  const changed = [...paths].filter((path) => {
    const bytes = readFileSync(`${root}/${path}`)
    const formatted = formatFile(bytes, false)
    return formatted.is !== 'formatted' || formatted.text !== bytes.toString('utf8')
  })
  expect(changed).toEqual([])
})

test('has a platform, a direct tenant, one of a reseller, and a sandbox', () => {
  const { pools, repository } = state
  const facts = repository.domains.map(({ slug }) => pools.factsOf(slug))
  expect(facts.map(({ slug, reseller, environment }) => [slug, reseller, environment])).toEqual([
    ['_platform', null, null],
    ['acme', null, 'production'],
    ['acme-sandbox', null, 'sandbox'],
    ['city-of-x', 'northwind', 'production'],
  ])
})

test('every document names a schema that `fibric schema --out .fibric/schemas` writes', () => {
  const exported = exportSchemas()
  const kindsByPath = new Map<string, string[]>()
  for (const { source, kind, inheritedFrom } of state.repository.resources) {
    if (inheritedFrom === null) kindsByPath.set(source.path, [...(kindsByPath.get(source.path) ?? []), kind])
  }
  for (const [path, kinds] of kindsByPath) {
    const [modeline = ''] = readFileSync(`${root}/${path}`, 'utf8').split('\n')
    const [, target] = /^# yaml-language-server: \$schema=(\S+)$/.exec(modeline) ?? []
    const schema = posix.join(posix.dirname(path), target ?? '')
    expect(posix.dirname(schema), path).toBe('.fibric/schemas')
    expect([...exported.keys()], path).toContain(posix.basename(schema))
    const expected = kinds.length === 1 ? `${kinds[0]}.json` : 'fibric.json'
    expect(posix.basename(schema), path).toBe(expected)
  }
})

test('locks nobody out, and leaves every hold enough people who did not ask for it', () => {
  expect(judgeLockOut(null, state, noon)).toEqual([])
  const missing = state.repository.domains.flatMap(({ slug }) =>
    state.pools.ownRules(slug).flatMap(({ rule, stage }) => {
      if (!rule.alert?.approvers || stage === 'shadow') return []
      const { role, quorum = 1 } = rule.alert.approvers
      const spare = rule.alert.separateFrom?.length ? 1 : 0
      const have = state.people.holders(slug, role).length
      // A sandbox has no people: what asks there is inherited, and waits for nobody's money.
      return have >= quorum + spare || slug === 'acme-sandbox'
        ? []
        : [`${slug} ${rule.id}: ${have} of ${quorum + spare}`]
    }),
  )
  expect(missing).toEqual([])
})

test('two administrators can approve what a third one wrote', () => {
  const { people } = state
  const holders = people.all.filter((person) => person.roles.includes('platform-admin'))
  expect(holders.length).toBeGreaterThanOrEqual(3)
  expect(holders.every((person) => people.approves(person))).toBe(true)
})

test('shows every feature of a trust rule at least once', () => {
  const policies = [...state.contents.values()].filter(({ kind }) => kind === 'TrustPolicy')
  const rules = policies.flatMap(({ spec }) => spec.rules as unknown as TrustRule[])
  const features: Record<string, (rule: TrustRule) => boolean> = {
    maxValue: (rule) => rule.require?.maxValue !== undefined,
    rate: (rule) => rule.require?.rate !== undefined,
    budget: (rule) => rule.require?.budget !== undefined,
    hours: (rule) => rule.require?.hours !== undefined,
    check: (rule) => rule.require?.check !== undefined,
    otherwise: (rule) => rule.require?.otherwise === 'ALERT',
    'an ALLOW that ends': (rule) => rule.decision === 'ALLOW' && rule.expiresAt !== undefined,
    'a constraint': (rule) => rule.decision === undefined,
    quorum: (rule) => (rule.alert?.approvers?.quorum ?? 1) > 1,
    expiresIn: (rule) => rule.alert?.expiresIn !== undefined,
    notify: (rule) => rule.alert?.mode === 'notify',
    when: (rule) => rule.match?.when !== undefined,
    entity: (rule) => rule.match?.entity !== undefined,
    value: (rule) => rule.match?.value !== undefined,
    tier: (rule) => rule.match?.tier !== undefined,
    change: (rule) => rule.match?.change !== undefined,
  }
  for (const [feature, uses] of Object.entries(features)) expect(rules.some(uses), feature).toBe(true)
  const scopes = policies.flatMap(({ spec }) => Object.keys((spec.appliesTo ?? {}) as object))
  expect([...new Set(scopes)].sort()).toEqual(['environments', 'operators', 'proposers', 'resellers', 'tenants'])
  expect(policies.some(({ spec }) => spec.stage === 'shadow')).toBe(true)
})

test('every expression in a rule evaluates: none of them speaks by its error', () => {
  const action = { args: { currency: 'EUR', body: 'Hello', fields: [] }, value: { amount: '20', currency: 'EUR' } }
  for (const capability of ['refund.issue', 'ticket.reply', 'voucher.issue', 'order.hold']) {
    const verdict = judge(state, 'acme', { ...action, capability, operator: 'support' }, noon, noFacts)
    expect(JSON.stringify(verdict), capability).not.toMatch(/error|cannot be evaluated/)
  }
})

test('holds no private key', () => {
  const texts = state.repository.resources.map(({ address }) => JSON.stringify(state.contents.get(address)))
  expect(texts.filter((text) => /PRIVATE KEY/.test(text))).toEqual([])
})
