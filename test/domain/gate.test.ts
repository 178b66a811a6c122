import { describe, expect, test } from 'vitest'
import { bootstrapRule, breakGlassRule, builtinRules } from '../../controller/domain/builtin-rules.ts'
import { canonicalJson } from '../../controller/domain/canonical-json.ts'
import { consume, type Facts, noFacts } from '../../controller/domain/counters.ts'
import { compileRules, countersFor, evaluate } from '../../controller/domain/gate.ts'
import { type Address, type Digest, platformSlug, platformTenantId, type Slug } from '../../controller/domain/ids.ts'
import type { Json } from '../../controller/domain/json.ts'
import { poolFor, type RuleInForce, rulesOfOperator, rulesOfPolicy } from '../../controller/domain/rules.ts'
import type { GateAction } from '../../controller/domain/verdict.ts'
import { nowMs, tenant } from '../support/arbitrary-rules.ts'

const policy = {
  address: 'acme/TrustPolicy/p' as Address,
  owner: tenant.id,
  commit: 'c0ffee',
  digest: 'sha256:p' as Digest,
}
const rulesOf = (...rules: object[]): RuleInForce[] => rulesOfPolicy(policy, { rules: rules as never })
const envelope = { event: null, tenant, now: nowMs }
const refund: GateAction = {
  capability: 'refund.issue',
  connection: 'orders',
  entity: 'order:1',
  value: { amount: '100.00', currency: 'EUR' },
  tier: 2,
  args: { currency: 'EUR' },
  proposer: { kind: 'operator', name: 'refunds' },
  operator: 'refunds',
  change: 'none',
}
const judge = (rules: readonly RuleInForce[], action: Partial<GateAction> = {}, facts: Facts = noFacts, now = nowMs) =>
  evaluate(compileRules(rules), { ...refund, ...action }, { ...envelope, now }, facts)
const decide = (rules: object[], action: Partial<GateAction> = {}, facts?: Facts) =>
  judge(rulesOf(...rules), action, facts).decision

const allow = { id: 'allow', decision: 'ALLOW' }
const failing = 'action.args.nothing == 1'

describe('the trust gate', () => {
  test.each<[string, object[], Partial<GateAction>, string]>([
    ['blocks what no rule allows', [{ id: 'a', decision: 'ALLOW', match: { capability: 'order.hold' } }], {}, 'BLOCK'],
    ['allows what a rule allows', [allow], {}, 'ALLOW'],
    ['lets one BLOCK outweigh any ALLOW', [allow, { id: 'b', decision: 'BLOCK' }], {}, 'BLOCK'],
    ['lets an ALERT outweigh an ALLOW', [allow, { id: 'b', decision: 'ALERT' }], {}, 'ALERT'],
    ['lets an ALERT grant', [{ id: 'b', decision: 'ALERT' }], {}, 'ALERT'],
    ['lets a constraint grant nothing', [{ id: 'c', require: { maxValue: 1000 } }], {}, 'BLOCK'],
    ['binds an ALLOW to a constraint', [allow, { id: 'c', require: { maxValue: 99.99 } }], {}, 'BLOCK'],
    [
      'lets a requirement ask instead',
      [allow, { id: 'c', require: { maxValue: 99.99, otherwise: 'ALERT' } }],
      {},
      'ALERT',
    ],
    ['keeps asking from granting', [{ id: 'c', require: { maxValue: 1, otherwise: 'ALERT' } }], {}, 'BLOCK'],
    [
      'compares amounts exactly',
      [{ ...allow, match: { value: { lte: 0.3 } } }],
      { value: { amount: '0.30000000000000001', currency: null } },
      'BLOCK',
    ],
    ['takes 100 and 100.00 for equal', [{ ...allow, match: { value: { gte: 100, lte: 100 } } }], {}, 'ALLOW'],
    [
      'takes a missing value under a bound for an error',
      [{ ...allow, match: { value: { lte: 250 } } }],
      { value: null },
      'BLOCK',
    ],
    [
      'lets that error make a BLOCK speak',
      [allow, { id: 'b', decision: 'BLOCK', match: { value: { gt: 250 } } }],
      { value: null },
      'BLOCK',
    ],
    [
      'lets a part that is false outweigh an error',
      [allow, { id: 'b', decision: 'BLOCK', match: { value: { gt: 250 }, tier: { gte: 3 } } }],
      { value: null },
      'ALLOW',
    ],
    ['lets a failing condition allow nothing', [{ ...allow, match: { when: failing } }], {}, 'BLOCK'],
    ['lets a failing condition block', [allow, { id: 'b', decision: 'BLOCK', match: { when: failing } }], {}, 'BLOCK'],
    ['lets a failing condition ask', [allow, { id: 'b', decision: 'ALERT', match: { when: failing } }], {}, 'ALERT'],
    [
      'lets a failing condition of an ALERT grant nothing',
      [{ id: 'b', decision: 'ALERT', match: { when: failing } }],
      {},
      'BLOCK',
    ],
    [
      'lets a failing condition bind a requirement',
      [allow, { id: 'c', match: { when: failing }, require: { maxValue: 1 } }],
      {},
      'BLOCK',
    ],
    ['takes a failing check for one that does not hold', [{ ...allow, require: { check: failing } }], {}, 'BLOCK'],
    ['takes a condition that is no boolean for an error', [{ ...allow, match: { when: 'action.value' } }], {}, 'BLOCK'],
    ['fails a ceiling without a value', [{ ...allow, require: { maxValue: 5 } }], { value: null }, 'BLOCK'],
    [
      'fails a budget in another currency',
      [{ ...allow, require: { budget: { max: 1000, currency: 'USD', per: '1d' } } }],
      {},
      'BLOCK',
    ],
    [
      'counts a budget without currency in bare numbers',
      [{ ...allow, require: { budget: { max: 1000, per: '1d' } } }],
      { value: { amount: '5', currency: null } },
      'ALLOW',
    ],
    ['matches a connection by role', [{ ...allow, match: { connection: 'fibric' } }], {}, 'BLOCK'],
    [
      'matches a change by its class',
      [{ ...allow, match: { capability: 'config.**', change: 'narrows' } }],
      { capability: 'config.role.update', change: 'narrows' },
      'ALLOW',
    ],
    [
      'matches addresses by segments',
      [{ ...allow, match: { entity: 'acme/Operator/*' } }],
      { entity: 'acme/Operator/order-risk' },
      'ALLOW',
    ],
    ['ends an ALLOW at its time', [{ ...allow, expiresAt: '2026-11-20T10:30:00Z' }], {}, 'BLOCK'],
    [
      'keeps a BLOCK past any time',
      [allow, { id: 'b', decision: 'BLOCK', expiresAt: '2020-01-01T00:00:00Z' }],
      {},
      'BLOCK',
    ],
    [
      'keeps hours in their zone',
      [{ ...allow, require: { hours: { timeZone: 'Europe/Berlin', days: ['fri'], from: '11:30', to: '11:31' } } }],
      {},
      'ALLOW',
    ],
    [
      'keeps hours to their days',
      [{ ...allow, require: { hours: { timeZone: 'Europe/Berlin', days: ['sat'], from: '08:00', to: '18:00' } } }],
      {},
      'BLOCK',
    ],
    [
      'runs hours past midnight',
      [{ ...allow, require: { hours: { timeZone: 'Asia/Tokyo', days: ['fri'], from: '19:00', to: '06:00' } } }],
      {},
      'ALLOW',
    ],
  ])('%s', (_, rules, action, want) => {
    expect(decide(rules, action)).toBe(want)
  })

  test('blocks everything when no rules are loaded', () => {
    expect(judge([])).toMatchObject({ decision: 'BLOCK', reasons: ['no rules are in force'] })
  })

  test.each([
    ['a condition that does not parse', { ...allow, match: { when: '1 +' } }],
    ['a zone nobody knows', { ...allow, require: { hours: { timeZone: 'Mars/Olympus', from: '08:00', to: '18:00' } } }],
    ['a window that is no duration', { ...allow, require: { rate: { max: 1, per: 'often' } } }],
  ])('blocks everything for a rule that cannot be read: %s', (_, rule) => {
    const rules = compileRules(rulesOf(allow, { ...rule, id: 'unreadable' }))
    expect(rules.problems).toHaveLength(1)
    expect(evaluate(rules, refund, envelope, noFacts).decision).toBe('BLOCK')
  })

  test('names the rules that decided, why, and what would have had to differ', () => {
    const verdict = judge(
      rulesOf(
        { id: 'small', decision: 'ALLOW', match: { value: { lte: 50 } } },
        { id: 'people', decision: 'ALLOW', match: { value: { lte: 50 }, tier: { lte: 1 } } },
      ),
    )
    expect(verdict).toMatchObject({
      decision: 'BLOCK',
      tier: 2,
      rules: [],
      reasons: ['no rule allows it'],
      near_misses: [
        { rule: 'small', policy: 'acme/TrustPolicy/p', commit: 'c0ffee', differs: ['value is 100.00, not lte 50'] },
        { rule: 'people', differs: ['tier is 2, not lte 1', 'value is 100.00, not lte 50'] },
      ],
    })
    expect(judge(rulesOf(allow, { id: 'limit', require: { maxValue: 50 } }))).toMatchObject({
      rules: [{ rule: 'limit', policy: 'acme/TrustPolicy/p', commit: 'c0ffee' }],
      reasons: ['acme/TrustPolicy/p#limit: value is 100.00, over maxValue 50'],
      near_misses: [{ rule: 'limit', differs: ['value is 100.00, over maxValue 50'] }],
    })
  })

  test('lists at most five near misses', () => {
    const rules = Array.from({ length: 9 }, (_, index) => ({
      id: `r${index}`,
      decision: 'ALLOW',
      match: { tier: { lte: 1 } },
    }))
    expect(judge(rulesOf(...rules)).near_misses).toHaveLength(5)
  })

  test('says who is asked, by defaults too', () => {
    const { holds } = judge(rulesOf({ id: 'ask', decision: 'ALERT', alert: { approvers: { role: 'finance' } } }))
    expect(holds).toEqual([
      {
        rule: 'ask',
        policy: 'acme/TrustPolicy/p',
        owner: 't_acme',
        mode: 'hold',
        approvers: { role: 'finance', quorum: 1 },
        separate_from: ['proposer', 'author'],
        expires_in_ms: null,
        signed: false,
      },
    ])
  })

  test('records what shadow rules would have said', () => {
    const shadows = rulesOfPolicy(policy, {
      stage: 'shadow',
      rules: [
        { id: 's', decision: 'BLOCK' },
        { id: 'quiet', match: { tier: { lte: 1 } }, decision: 'BLOCK' },
      ],
    })
    const verdict = judge([...rulesOf(allow), ...shadows])
    expect(verdict.decision).toBe('ALLOW')
    expect(verdict.shadow).toEqual([{ rule: 's', policy: 'acme/TrustPolicy/p', commit: 'c0ffee', decision: 'BLOCK' }])
  })

  test('gives a verdict that canonical JSON can carry', () => {
    const verdict = judge(rulesOf({ id: 'ask', decision: 'ALERT', require: { rate: { max: 3, per: '1h' } } }))
    expect(JSON.parse(canonicalJson(verdict as unknown as Json))).toEqual(verdict)
  })

  test('has a digest that moves with a rule and not with the order', () => {
    const one = compileRules(rulesOf(allow, { id: 'b', decision: 'BLOCK' }))
    expect(compileRules(rulesOf({ id: 'b', decision: 'BLOCK' }, allow)).digest).toBe(one.digest)
    expect(compileRules(rulesOf(allow, { id: 'b', decision: 'ALERT' })).digest).not.toBe(one.digest)
  })
})

describe('rates and budgets', () => {
  const limited = (requirement: object) => rulesOf({ ...allow, require: requirement })

  test('admit the first of a batch that fit, in order', () => {
    const rules = compileRules(
      limited({ budget: { max: 250, currency: 'EUR', per: '1h' }, rate: { max: 5, per: '1h' } }),
    )
    let facts = noFacts
    const decisions = [100, 100, 100, 50, 1].map((amount) => {
      const action = { ...refund, value: { amount: String(amount), currency: 'EUR' } }
      const verdict = evaluate(rules, action, envelope, facts)
      facts = consume(facts, countersFor(rules, action, envelope), action, envelope, verdict)
      return verdict.decision
    })
    expect(decisions).toEqual(['ALLOW', 'ALLOW', 'BLOCK', 'ALLOW', 'BLOCK'])
  })

  test('slide by whole minutes and record what they saw', () => {
    const rules = compileRules(limited({ rate: { max: 1, per: '1h', by: 'entity' } }))
    const needs = countersFor(rules, refund, envelope)
    expect(needs).toEqual([{ capability: 'refund.issue', by: 'entity', value: 'order:1', windowMinutes: 60 }])
    const facts = consume(noFacts, needs, refund, envelope, evaluate(rules, refund, envelope, noFacts))
    const at = (minutes: number) => evaluate(rules, refund, { ...envelope, now: nowMs + minutes * 60_000 }, facts)
    expect(at(0)).toMatchObject({
      decision: 'BLOCK',
      counts: [{ kind: 'rate', by: 'entity', by_value: 'order:1', seen: '1', max: '1' }],
    })
    expect(at(60).decision).toBe('BLOCK')
    expect(at(61).decision).toBe('ALLOW')
    expect(evaluate(rules, { ...refund, entity: 'order:2' }, envelope, facts).decision).toBe('ALLOW')
  })

  test('count an action without an operator for who proposes it', () => {
    const rules = compileRules(limited({ rate: { max: 1, per: '1h', by: 'operator' } }))
    const byPerson: GateAction = { ...refund, operator: null, proposer: { kind: 'person', name: 'local:jane' } }
    expect(countersFor(rules, byPerson, envelope)).toMatchObject([{ by: 'operator', value: 'person:local:jane' }])
  })

  test('add amounts exactly', () => {
    const rules = compileRules(limited({ budget: { max: 0.3, currency: 'EUR', per: '1h' } }))
    const action = { ...refund, value: { amount: '0.1', currency: 'EUR' } }
    let facts = noFacts
    for (let index = 0; index < 3; index++) {
      const verdict = evaluate(rules, action, envelope, facts)
      expect(verdict.decision).toBe('ALLOW')
      facts = consume(facts, countersFor(rules, action, envelope), action, envelope, verdict)
    }
    expect(evaluate(rules, action, envelope, facts).counts).toMatchObject([{ seen: '0.3' }])
  })

  test('do not count what is held, nor let a negative amount make room', () => {
    const rules = compileRules(rulesOf({ id: 'ask', decision: 'ALERT', require: { rate: { max: 1, per: '1h' } } }))
    const needs = countersFor(rules, refund, envelope)
    expect(consume(noFacts, needs, refund, envelope, evaluate(rules, refund, envelope, noFacts))).toBe(noFacts)
    const budget = compileRules(limited({ budget: { max: 100, currency: 'EUR', per: '1h' } }))
    const credit = { ...refund, value: { amount: '-500', currency: 'EUR' } }
    const asked = countersFor(budget, credit, envelope)
    const facts = consume(noFacts, asked, credit, envelope, evaluate(budget, credit, envelope, noFacts))
    expect(evaluate(budget, refund, envelope, facts).counts).toMatchObject([{ seen: '0' }])
  })
})

describe('the pool', () => {
  const shared = (appliesTo: object) =>
    rulesOfPolicy(
      { ...policy, address: '_platform/TrustPolicy/base' as Address, owner: platformTenantId },
      {
        appliesTo: appliesTo as never,
        rules: [{ id: 'base', decision: 'ALLOW' }],
      },
    )
  test.each<[string, object, boolean]>([
    ['every tenant by default', {}, true],
    ['every tenant for empty lists', { tenants: [], resellers: [] }, true],
    ['a tenant by glob', { tenants: ['ac*'] }, true],
    ['not another tenant', { tenants: ['other'] }, false],
    ['the tenants of a reseller', { resellers: ['northwind'] }, true],
    ['not those of another', { resellers: ['southwind'] }, false],
    ['not another environment', { environments: ['sandbox'] }, false],
  ])('takes platform rules for %s', (_, appliesTo, applies) => {
    expect(poolFor({ platform: shared(appliesTo), tenant: [], builtin: [] }, tenant)).toHaveLength(applies ? 1 : 0)
  })

  test('judges an action of the platform by its own rules alone', () => {
    const platform = { id: platformTenantId, slug: platformSlug, reseller: null, environment: null }
    expect(poolFor({ platform: shared({}), tenant: rulesOf(allow), builtin: [] }, platform)).toHaveLength(1)
  })

  test('keeps guardrails to their operator', () => {
    const operator = { ...policy, address: 'acme/Operator/refunds' as Address }
    const guardrails = rulesOfOperator(operator, { guardrails: [{ id: 'g', decision: 'BLOCK' }] })
    expect(judge([...rulesOf(allow), ...guardrails]).decision).toBe('BLOCK')
    expect(judge([...rulesOf(allow), ...guardrails], { operator: 'other' }).decision).toBe('ALLOW')
    expect(rulesOfOperator(operator, {})).toEqual([])
  })
})

describe('built-in rules', () => {
  const config: Partial<GateAction> = {
    capability: 'config.trustpolicy.update',
    connection: 'fibric',
    value: null,
    change: 'widens',
  }

  test('ask before a tier-3 action that a model proposed, without granting it', () => {
    const risky = { tier: 3 as const, model: 'reasoning' }
    expect(judge([...rulesOf(allow), ...builtinRules], risky).decision).toBe('ALERT')
    expect(judge([...rulesOf(allow), ...builtinRules], { tier: 3 }).decision).toBe('ALLOW')
    expect(judge([...builtinRules], risky).decision).toBe('BLOCK')
  })

  test('let bootstrap pass configuration and nothing else', () => {
    expect(judge([bootstrapRule], config).decision).toBe('ALLOW')
    expect(judge([bootstrapRule]).decision).toBe('BLOCK')
  })

  test('let break-glass override every rule until it expires, and say so', () => {
    const rules = [...rulesOf({ id: 'locked', decision: 'BLOCK' }), breakGlassRule('2026-11-20T11:30:00Z')]
    expect(judge(rules, config)).toMatchObject({
      decision: 'ALLOW',
      rules: [{ rule: 'break-glass', policy: '_platform/TrustPolicy/builtin' }],
    })
    expect(judge(rules).decision).toBe('BLOCK')
    expect(judge(rules, config, noFacts, nowMs + 3_600_000).decision).toBe('BLOCK')
  })
})

test('the tenant of the envelope can be named', () => {
  const rule = {
    ...allow,
    match: { when: "tenant.slug == 'acme' && now.getHours() == 10 && action.proposer.kind == 'operator'" },
  }
  expect(decide([rule])).toBe('ALLOW')
  expect(
    evaluate(compileRules(rulesOf(rule)), refund, { ...envelope, tenant: { ...tenant, slug: 'b' as Slug } }, noFacts)
      .decision,
  ).toBe('BLOCK')
})
