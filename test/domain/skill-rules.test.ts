import { describe, expect, test } from 'vitest'
import { builtinRules } from '../../controller/domain/builtin-rules.ts'
import { compileRules, evaluate } from '../../controller/domain/gate.ts'
import type { Address, Digest, TenantId } from '../../controller/domain/ids.ts'
import type { JsonObject } from '../../controller/domain/json.ts'
import { rulesOfPolicy } from '../../controller/domain/rules.ts'
import { rulesOfSkill } from '../../controller/domain/skill-rules.ts'
import type { GateAction } from '../../controller/domain/verdict.ts'

const facts = (address: string) => ({
  address: address as Address,
  owner: 't_acme' as TenantId,
  commit: null,
  digest: `sha256:${'0'.repeat(64)}` as Digest,
})
const allowed = rulesOfPolicy(facts('acme/TrustPolicy/all'), { rules: [{ id: 'all', decision: 'ALLOW' }] as never })
const skill = (spec: JsonObject) => rulesOfSkill(facts('acme/Skill/refund'), { capability: 'refund.issue', ...spec })

function judge(spec: JsonObject | null, more: Partial<GateAction>) {
  const rules = compileRules([...builtinRules, ...allowed, ...(spec === null ? [] : skill(spec))])
  const action: GateAction = {
    capability: 'refund.issue',
    connection: 'orders',
    entity: 'order:1',
    value: null,
    tier: 1,
    args: {},
    proposer: { kind: 'operator', name: 'thinker' },
    operator: 'thinker',
    change: 'none',
    ...more,
  }
  const tenant = { id: 't_acme' as TenantId, slug: 'acme' as never, reseller: null, environment: null }
  return evaluate(rules, action, { event: null, tenant, now: 0 }, { counters: {} })
}
const model = (modelRating: string | null = null): Partial<GateAction> => ({ model: '_platform/Model/us', modelRating })

describe("a model's proposal", () => {
  test('of a capability whose skill is not for models is blocked, and the skill is named', () => {
    const verdict = judge({ aiCallable: false }, model('high'))
    expect(verdict.decision).toBe('BLOCK')
    expect(verdict.rules).toMatchObject([{ rule: 'ai-callable', policy: 'acme/Skill/refund' }])
    expect(judge({}, model('high')).decision).toBe('BLOCK')
    expect(judge({ aiCallable: true }, model()).decision).toBe('ALLOW')
  })

  test.each([
    ['all', null, 'ALLOW'],
    ['all', 'standard', 'ALLOW'],
    ['standard', null, 'BLOCK'],
    ['standard', 'standard', 'ALLOW'],
    ['standard', 'high', 'ALLOW'],
    ['high', null, 'BLOCK'],
    ['high', 'standard', 'BLOCK'],
    ['high', 'high', 'ALLOW'],
    ['high', 'HIGH', 'BLOCK'],
  ] as const)('of a skill for models rated %s by one rated %s is %s', (minModelRating, rating, decision) => {
    expect(judge({ aiCallable: true, minModelRating }, model(rating)).decision).toBe(decision)
  })

  test('of a skill that a person confirms waits for one', () => {
    const verdict = judge({ aiCallable: true, confirm: true }, model('high'))
    expect(verdict.decision).toBe('ALERT')
    expect(verdict.holds).toMatchObject([{ rule: 'confirm', mode: 'hold', approvers: { role: null, quorum: 1 } }])
  })

  test('of tier 3 is at least an ALERT, whatever allows it', () => {
    expect(judge(null, { ...model('high'), tier: 3 }).decision).toBe('ALERT')
    expect(judge(null, { ...model('high'), tier: 2 }).decision).toBe('ALLOW')
  })
})

test('what rules and people propose is none of a skill word on models', () => {
  for (const spec of [
    { aiCallable: false },
    { aiCallable: true, minModelRating: 'high' },
    { confirm: true, aiCallable: true },
  ]) {
    expect(judge(spec, {}).decision).toBe('ALLOW')
    expect(judge(spec, { proposer: { kind: 'person', name: 'ana' }, operator: null }).decision).toBe('ALLOW')
  }
})

test('a skill of another capability says nothing', () => {
  expect(judge({ capability: 'refund.list', aiCallable: false }, model()).decision).toBe('ALLOW')
})
