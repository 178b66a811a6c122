import fc from 'fast-check'
import { type Counter, counterId, type Facts } from '../../controller/domain/counters.ts'
import type { Address, Digest, Slug, TenantId } from '../../controller/domain/ids.ts'
import type { AppliesTo, Decision, RuleInForce, TrustRule } from '../../controller/domain/rules.ts'
import type { GateAction, GateEnvelope } from '../../controller/domain/verdict.ts'

/** Small worlds, so that random rules often speak for random actions. */
export const tenant = {
  id: 't_acme' as TenantId,
  slug: 'acme' as Slug,
  reseller: 'northwind',
  environment: 'production',
}
export const nowMs = Date.parse('2026-11-20T10:30:00Z')

// Weighed by hand: `fc.option` with a frequency of one never gives a value.
const given = <T>(weight: number, value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4 - weight, arbitrary: fc.constant(undefined) }, { weight, arbitrary: value })
const rarely = <T>(value: fc.Arbitrary<T>) => given(1, value)
const sometimes = <T>(value: fc.Arbitrary<T>) => given(2, value)
const often = <T>(value: fc.Arbitrary<T>) => given(3, value)
const amounts = fc.constantFrom(0, 50, 100, 100.5, 200)
const bounds = fc.oneof(
  amounts.map((lte) => ({ lte })),
  amounts.map((lt) => ({ lt })),
  amounts.map((gt) => ({ gt })),
  fc.tuple(amounts, amounts).map(([gte, lt]) => ({ gte, lt })),
)
const conditions = fc.constantFrom(
  "action.args.country == 'RU'",
  'action.args.missing == 1',
  'action.value > 100',
  'true',
  "event.payload.kind == 'a'",
)
const counted = fc.constantFrom('tenant' as const, 'operator' as const, 'entity' as const, 'capability' as const)
const windows = fc.constantFrom('1m', '1h', '2h', '1d')

const matchArbitrary = fc.record({
  capability: often(fc.constantFrom('refund.issue', 'refund.*', '**', 'order.hold', '*.issue', 'config.**')),
  connection: rarely(fc.constantFrom('orders', 'fibric')),
  entity: rarely(fc.constantFrom('order:*', 'order:1', '**', 'order:1*')),
  value: rarely(bounds),
  tier: rarely(fc.constantFrom({ lte: 1 }, { gte: 2 }, { gt: 0, lt: 3 })),
  change: rarely(fc.constantFrom('none' as const, 'widens' as const, 'narrows' as const)),
  when: rarely(conditions),
})

const requireArbitrary = fc
  .record({
    maxValue: rarely(amounts),
    rate: rarely(fc.record({ max: fc.constantFrom(0, 1, 2, 3), per: windows, by: counted })),
    budget: rarely(
      fc.record({ max: fc.constantFrom(100, 250, 300), currency: fc.constant('EUR'), per: windows, by: counted }),
    ),
    otherwise: rarely(fc.constantFrom('BLOCK' as const, 'ALERT' as const)),
    hours: rarely(
      fc.record({
        timeZone: fc.constantFrom('UTC', 'Europe/Berlin'),
        days: fc.constantFrom(['fri'], ['mon', 'fri'], ['sat']),
        from: fc.constantFrom('08:00', '22:00', '10:31'),
        to: fc.constantFrom('18:00', '10:30', '11:00'),
      }),
    ),
    check: rarely(conditions),
  })
  .map(strip)

const alertArbitrary = fc
  .record({
    mode: rarely(fc.constantFrom('hold' as const, 'notify' as const)),
    approvers: rarely(
      fc.record({ role: fc.constantFrom('finance', 'ops'), quorum: fc.constantFrom(1, 2) }, { requiredKeys: ['role'] }),
    ),
    expiresIn: rarely(fc.constantFrom('1h', '72h')),
    separateFrom: rarely(fc.constantFrom([], ['proposer' as const], ['proposer' as const, 'author' as const])),
    signed: rarely(fc.boolean()),
  })
  .map(strip)

export function ruleArbitrary(decisions: readonly (Decision | null)[] = ['ALLOW', 'ALERT', 'BLOCK', null]) {
  return fc
    .record({
      id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      match: matchArbitrary.map(strip),
      decision: fc.constantFrom(...decisions),
      require: sometimes(requireArbitrary),
      alert: alertArbitrary,
      expires: rarely(fc.constantFrom('2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z')),
      stage: fc.constantFrom('enforce' as const, 'enforce' as const, 'enforce' as const, 'shadow' as const),
      proposers: rarely(fc.constantFrom(['operator' as const], ['person' as const])),
      operators: rarely(fc.constantFrom(['order-*'], ['other'])),
      policy: fc.constantFrom('acme/TrustPolicy/p', 'acme/TrustPolicy/q'),
    })
    .map((parts): RuleInForce => {
      const rule = strip({
        id: parts.id,
        match: parts.match,
        decision: parts.decision ?? undefined,
        require: parts.require,
        alert: parts.alert,
        expiresAt: parts.decision === 'ALLOW' ? parts.expires : undefined,
      }) as unknown as TrustRule
      return {
        ruleId: parts.id,
        policy: parts.policy as Address,
        owner: tenant.id,
        commit: 'c0ffee',
        digest: 'sha256:p' as Digest,
        stage: parts.stage,
        appliesTo: strip({ proposers: parts.proposers, operators: parts.operators }) as AppliesTo,
        rule,
      }
    })
}

/** Half of the pools grant everything to begin with, so that what narrows makes a difference. */
export const poolArbitrary = fc
  .tuple(fc.boolean(), fc.array(ruleArbitrary(), { maxLength: 6 }))
  .map(([granted, rules]) => (granted ? [grantOfEverything, ...rules] : rules))

/** A rule, and the same rule with one part taken from another: the kind of change people make. */
export const editArbitrary: fc.Arbitrary<{ before: RuleInForce; after: RuleInForce }> = fc
  .tuple(
    ruleArbitrary(),
    ruleArbitrary(),
    fc.constantFrom(
      'match',
      'require',
      'alert',
      'decision',
      'expiresAt',
      'appliesTo',
      'value',
      'quorum',
      'limit',
      'when',
    ),
  )
  .map(([before, other, part]) => ({ before, after: edited(before, other, part) }))

function edited(before: RuleInForce, other: RuleInForce, part: string): RuleInForce {
  const rule = (parts: object) => ({ ...before, rule: strip({ ...before.rule, ...parts }) as TrustRule })
  const { match, require, alert } = before.rule
  switch (part) {
    case 'appliesTo':
      return { ...before, appliesTo: other.appliesTo }
    case 'value':
    case 'when':
      return rule({ match: strip({ ...match, [part]: other.rule.match?.[part] }) })
    case 'quorum':
      return rule({
        alert: strip({ ...alert, approvers: other.rule.alert?.approvers ?? { role: 'finance', quorum: 2 } }),
      })
    case 'limit': {
      const raised = <T extends { max: number }>(limit: T | undefined) => limit && { ...limit, max: limit.max + 1 }
      return rule({
        require: require && strip({ ...require, rate: raised(require.rate), budget: raised(require.budget) }),
      })
    }
    default:
      return rule({ [part]: (other.rule as unknown as Record<string, unknown>)[part] })
  }
}

export const grantOfEverything: RuleInForce = {
  ruleId: 'all',
  policy: 'acme/TrustPolicy/p' as Address,
  owner: tenant.id,
  commit: null,
  digest: 'sha256:p' as Digest,
  stage: 'enforce',
  appliesTo: {},
  rule: { id: 'all', decision: 'ALLOW' },
}

export const actionArbitrary: fc.Arbitrary<GateAction> = fc.record({
  capability: fc.constantFrom('refund.issue', 'order.hold', 'refund.issue', 'config.user.create'),
  connection: fc.constantFrom('orders', 'fibric'),
  entity: fc.constantFrom('order:1', 'order:17', 'acme/User/x'),
  value: fc.option(
    fc.record({
      amount: fc.constantFrom('0', '50', '99.99', '100', '100.5', '150', '200', '201'),
      currency: fc.constantFrom('EUR', 'EUR', 'USD', null),
    }),
    { nil: null },
  ),
  tier: fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const),
  args: fc.constantFrom({}, { country: 'RU' }, { country: 'DE' }),
  proposer: fc.constantFrom(
    { kind: 'operator' as const, name: 'order-risk' },
    { kind: 'person' as const, name: 'local:jane' },
  ),
  operator: fc.constantFrom('order-risk', 'other', null),
  change: fc.constantFrom('none' as const, 'widens' as const, 'narrows' as const),
})

export const envelopeArbitrary: fc.Arbitrary<GateEnvelope> = fc.record({
  event: fc.constantFrom(null, { payload: { kind: 'a' } }, { payload: {} }),
  tenant: fc.constant(tenant),
  now: fc.constantFrom(nowMs, nowMs + 12 * 3_600_000, nowMs + 60_000, nowMs + 24 * 3_600_000),
})

/** Counts for every row an action could ask for. */
export const factsArbitrary: fc.Arbitrary<Facts> = fc
  .array(
    fc.record({
      capability: fc.constantFrom('refund.issue', 'refund.issue', 'order.hold'),
      by: counted,
      minutesAgo: fc.constantFrom(0, 1, 59, 60, 61, 120, 1440, 2000),
      count: fc.constantFrom(1, 2),
      sum: fc.constantFrom('10', '99.5', '200'),
    }),
    { maxLength: 16 },
  )
  .map((rows) => {
    const counters: Record<string, Counter> = {}
    for (const { capability, by, minutesAgo, count, sum } of rows) {
      const value = { tenant: tenant.id, operator: 'order-risk', entity: 'order:1', capability }[by]
      const key = { capability, by, value }
      const id = counterId(key)
      const minute = Math.floor(nowMs / 60_000) - minutesAgo
      const buckets = counters[id]?.buckets.filter((bucket) => bucket.minute !== minute) ?? []
      counters[id] = { key, since: 0, buckets: [...buckets, { minute, count, sums: { EUR: sum } }] }
    }
    return { counters }
  })

function strip<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as T
}
