import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileRules, evaluate } from '../../controller/domain/gate.ts'
import type { Address, Digest } from '../../controller/domain/ids.ts'
import { compareRuleSets } from '../../controller/domain/rule-authority.ts'
import type { RuleInForce, TrustRule } from '../../controller/domain/rules.ts'
import type { Hold, Verdict } from '../../controller/domain/verdict.ts'
import {
  actionArbitrary,
  editArbitrary,
  envelopeArbitrary,
  factsArbitrary,
  grantOfEverything,
  ruleArbitrary,
  tenant,
} from '../support/arbitrary-rules.ts'
import { threadMs } from '../support/thread-time.ts'

function inForce(rule: Omit<TrustRule, 'id'> & { id?: string }, more: Partial<RuleInForce> = {}): RuleInForce {
  const id = rule.id ?? 'r'
  return {
    ruleId: id,
    policy: 'acme/TrustPolicy/p' as Address,
    owner: tenant.id,
    commit: null,
    digest: 'sha256:p' as Digest,
    stage: 'enforce',
    appliesTo: {},
    rule: { ...rule, id },
    ...more,
  }
}

const refund = { capability: 'refund.issue' }
const allow = inForce({ match: refund, decision: 'ALLOW' })
const block = inForce({ match: refund, decision: 'BLOCK' })
const ask = (alert: TrustRule['alert'] = {}) => inForce({ match: refund, decision: 'ALERT', alert: alert! })
const finance = (quorum: number, rest: TrustRule['alert'] = {}) =>
  ask({ approvers: { role: 'finance', quorum }, ...rest })
const require = (requirement: TrustRule['require']) =>
  inForce({ match: refund, decision: 'ALLOW', require: requirement! })
const constraint = (requirement: TrustRule['require'], more = {}) =>
  inForce({ match: refund, require: requirement!, ...more })
const expiring = (expiresAt: string) => inForce({ match: refund, decision: 'ALLOW', expiresAt })

type Want = 'widens' | 'narrows' | 'neutral' | 'unproven'

describe('a change of rules', () => {
  test.each<[string, RuleInForce[], RuleInForce[], Want]>([
    ['nothing changed', [allow], [allow], 'neutral'],
    ['a rule is renamed', [allow], [inForce({ id: 'other', match: refund, decision: 'ALLOW' })], 'neutral'],
    ['a rule moves to another policy', [allow], [{ ...allow, policy: 'acme/TrustPolicy/q' as Address }], 'neutral'],
    ['a rule is repeated', [allow], [allow, inForce({ id: 'again', match: refund, decision: 'ALLOW' })], 'neutral'],
    ['the first ALLOW', [], [allow], 'widens'],
    ['the last ALLOW goes', [allow], [], 'narrows'],
    ['a BLOCK where nothing was granted', [], [block], 'neutral'],
    ['a BLOCK over an ALLOW', [allow], [allow, block], 'narrows'],
    ['a BLOCK goes from over an ALLOW', [allow, block], [allow], 'widens'],
    ['a BLOCK goes where nothing is granted', [block], [], 'neutral'],
    ['an ALERT over an ALLOW', [allow], [allow, ask()], 'narrows'],
    ['an ALERT where nothing was granted', [], [ask()], 'widens'],
    ['an ALERT goes, an ALLOW stays', [allow, ask()], [allow], 'widens'],
    ['an ALERT goes, nothing stays', [ask()], [], 'narrows'],
    ['ALERT becomes ALLOW', [ask()], [allow], 'widens'],
    ['ALLOW becomes ALERT', [allow], [ask()], 'narrows'],
    [
      'an ALLOW is split at 100',
      [inForce({ match: { ...refund, value: { lte: 250 } }, decision: 'ALLOW' })],
      [
        inForce({ id: 'low', match: { ...refund, value: { lte: 100 } }, decision: 'ALLOW' }),
        inForce({ id: 'high', match: { ...refund, value: { gt: 100, lte: 250 } }, decision: 'ALLOW' }),
      ],
      'neutral',
    ],
    [
      'a split that leaves out its point',
      [inForce({ match: { ...refund, value: { lte: 250 } }, decision: 'ALLOW' })],
      [
        inForce({ id: 'low', match: { ...refund, value: { lt: 100 } }, decision: 'ALLOW' }),
        inForce({ id: 'high', match: { ...refund, value: { gt: 100, lte: 250 } }, decision: 'ALLOW' }),
      ],
      'narrows',
    ],
    [
      'a ceiling in match is raised',
      [inForce({ match: { ...refund, value: { lte: 250 } }, decision: 'ALLOW' })],
      [inForce({ match: { ...refund, value: { lte: 300 } }, decision: 'ALLOW' })],
      'widens',
    ],
    [
      'an ALLOW is split by tier',
      [allow],
      [
        inForce({ id: 'a', match: { ...refund, tier: { lte: 1 } }, decision: 'ALLOW' }),
        inForce({ id: 'b', match: { ...refund, tier: { gte: 2 } }, decision: 'ALLOW' }),
      ],
      'neutral',
    ],
    [
      'a glob becomes narrower',
      [inForce({ match: { capability: 'refund.*' }, decision: 'ALLOW' })],
      [allow],
      'narrows',
    ],
    ['a glob becomes wider', [allow], [inForce({ match: { capability: 'refund.*' }, decision: 'ALLOW' })], 'widens'],
    [
      'a wider BLOCK takes the place of a narrower one',
      [inForce({ match: { capability: '**' }, decision: 'ALLOW' }), block],
      [
        inForce({ match: { capability: '**' }, decision: 'ALLOW' }),
        inForce({ match: { capability: 'refund.**' }, decision: 'BLOCK' }),
      ],
      'narrows',
    ],
    [
      'a match by change is added to an ALLOW',
      [allow],
      [inForce({ match: { ...refund, change: 'narrows' }, decision: 'ALLOW' })],
      'narrows',
    ],
    ['quorum 2 becomes 1', [finance(2)], [finance(1)], 'widens'],
    ['quorum 1 becomes 2', [finance(1)], [finance(2)], 'narrows'],
    ['another role approves', [finance(1)], [ask({ approvers: { role: 'ops' } })], 'unproven'],
    ['a second hold is added', [finance(1)], [finance(1), ask({ approvers: { role: 'ops' } })], 'narrows'],
    ['a hold waits longer', [finance(1, { expiresIn: '24h' })], [finance(1, { expiresIn: '72h' })], 'widens'],
    ['a hold waits less', [finance(1)], [finance(1, { expiresIn: '24h' })], 'narrows'],
    ['the default wait is written out', [finance(1)], [finance(1, { expiresIn: '72h' })], 'neutral'],
    ['the author may approve', [finance(1)], [finance(1, { separateFrom: ['proposer'] })], 'widens'],
    [
      'the signer may not approve either',
      [finance(1)],
      [finance(1, { separateFrom: ['proposer', 'author', 'signer'] })],
      'narrows',
    ],
    ['approvals must be signed', [finance(1)], [finance(1, { signed: true })], 'narrows'],
    ['a hold becomes a notice', [finance(1)], [finance(1, { mode: 'notify' })], 'widens'],
    ['a notice becomes a hold', [finance(1, { mode: 'notify' })], [finance(1)], 'narrows'],
    ['a rate appears', [allow], [require({ rate: { max: 25, per: '1h' } })], 'narrows'],
    [
      'a rate is raised',
      [require({ rate: { max: 25, per: '1h' } })],
      [require({ rate: { max: 26, per: '1h' } })],
      'widens',
    ],
    [
      'a rate counts over longer',
      [require({ rate: { max: 25, per: '1h' } })],
      [require({ rate: { max: 25, per: '2h' } })],
      'narrows',
    ],
    [
      'a rate by operator becomes one by tenant',
      [require({ rate: { max: 25, per: '1h', by: 'operator' } })],
      [require({ rate: { max: 25, per: '1h', by: 'tenant' } })],
      'narrows',
    ],
    [
      'a rate trades number for time',
      [require({ rate: { max: 25, per: '1h' } })],
      [require({ rate: { max: 50, per: '2h' } })],
      'unproven',
    ],
    [
      'a budget changes its currency',
      [require({ budget: { max: 5, currency: 'EUR', per: '1d' } })],
      [require({ budget: { max: 5, currency: 'USD', per: '1d' } })],
      'unproven',
    ],
    [
      'a budget shrinks',
      [require({ budget: { max: 5, currency: 'EUR', per: '1d' } })],
      [require({ budget: { max: 4, currency: 'EUR', per: '1d' } })],
      'narrows',
    ],
    [
      'a requirement asks instead of refusing',
      [require({ maxValue: 250 })],
      [require({ maxValue: 250, otherwise: 'ALERT' })],
      'widens',
    ],
    ['a ceiling is lowered', [require({ maxValue: 250 })], [require({ maxValue: 100 })], 'narrows'],
    [
      'a ceiling moves into match',
      [require({ maxValue: 250 })],
      [inForce({ match: { ...refund, value: { lte: 250 } }, decision: 'ALLOW' })],
      'neutral',
    ],
    ['a constraint is added', [allow], [allow, constraint({ check: "action.args.currency == 'EUR'" })], 'narrows'],
    ['a constraint goes', [allow, constraint({ check: "action.args.currency == 'EUR'" })], [allow], 'widens'],
    [
      'hours shrink',
      [require({ hours: { timeZone: 'UTC', from: '08:00', to: '18:00' } })],
      [require({ hours: { timeZone: 'UTC', days: ['mon'], from: '09:00', to: '17:00' } })],
      'narrows',
    ],
    [
      'hours run past midnight',
      [require({ hours: { timeZone: 'UTC', from: '08:00', to: '18:00' } })],
      [require({ hours: { timeZone: 'UTC', from: '22:00', to: '06:00' } })],
      'unproven',
    ],
    [
      'hours move to another zone',
      [require({ hours: { timeZone: 'UTC', from: '08:00', to: '18:00' } })],
      [require({ hours: { timeZone: 'Europe/Berlin', from: '08:00', to: '18:00' } })],
      'unproven',
    ],
    [
      'a condition is added to an ALLOW',
      [allow],
      [inForce({ match: { ...refund, when: 'action.value < 5' }, decision: 'ALLOW' })],
      'narrows',
    ],
    [
      'a condition is added to a BLOCK',
      [allow, block],
      [allow, inForce({ match: { ...refund, when: 'action.value > 5' }, decision: 'BLOCK' })],
      'widens',
    ],
    [
      'a condition of an ALLOW is rewritten',
      [inForce({ match: { ...refund, when: 'action.value < 5' }, decision: 'ALLOW' })],
      [inForce({ match: { ...refund, when: 'action.value < 6' }, decision: 'ALLOW' })],
      'unproven',
    ],
    ['an ALLOW gets an end', [allow], [expiring('2027-01-01T00:00:00Z')], 'narrows'],
    ['an end moves later', [expiring('2027-01-01T00:00:00Z')], [expiring('2028-01-01T00:00:00Z')], 'widens'],
    ['a policy goes to shadow', [allow, block], [allow, { ...block, stage: 'shadow' }], 'widens'],
    [
      'a shadow rule changes',
      [allow, { ...block, stage: 'shadow' }],
      [allow, { ...ask(), stage: 'shadow' }],
      'neutral',
    ],
    ['a shadow BLOCK is enforced', [allow, { ...block, stage: 'shadow' }], [allow, block], 'narrows'],
    [
      'a rule comes to apply to people too',
      [{ ...allow, appliesTo: { proposers: ['operator'] } }],
      [{ ...allow, appliesTo: { proposers: ['operator', 'person'] } }],
      'widens',
    ],
    [
      'all proposers are written out',
      [allow],
      [{ ...allow, appliesTo: { proposers: ['operator', 'person', 'schedule', 'reconciler', 'builtin'] } }],
      'neutral',
    ],
    ['an ALLOW is kept to one tenant', [allow], [{ ...allow, appliesTo: { tenants: ['acme'] } }], 'narrows'],
    [
      'a BLOCK is kept to one tenant',
      [allow, block],
      [allow, { ...block, appliesTo: { tenants: ['acme'] } }],
      'widens',
    ],
    [
      'another domain owns the hold',
      [finance(1)],
      [{ ...finance(1), owner: 't_platform' as typeof tenant.id }],
      'unproven',
    ],
    [
      'a change under a standing BLOCK',
      [inForce({ id: 'all', match: { capability: '**' }, decision: 'BLOCK' })],
      [inForce({ id: 'all', match: { capability: '**' }, decision: 'BLOCK' }), allow],
      'neutral',
    ],
  ])('%s', (_, before, after, want) => {
    const { effect, unproven } = compareRuleSets(before, after)
    expect(unproven ? 'unproven' : effect).toBe(want)
  })

  test('says which rule, where, and from what to what', () => {
    const { reasons } = compareRuleSets([finance(2)], [finance(1)])
    expect(reasons).toEqual([
      {
        pointer: 'acme/TrustPolicy/p#r',
        effect: 'widens',
        text: 'capability refund.issue: ALERT, 2 of role finance → ALERT, 1 of role finance',
      },
    ])
  })

  test('gives up on too many cases, which counts as widening', () => {
    const many = Array.from({ length: 14 }, (_, index) =>
      inForce({ id: `r${index}`, match: { when: `action.args.n == ${index}` }, decision: 'ALERT' }),
    )
    const startedMs = threadMs()
    const result = compareRuleSets([allow, ...many], [allow, ...many.slice(1)])
    expect(result).toMatchObject({ effect: 'widens' })
    expect(threadMs() - startedMs).toBeLessThan(2000)
  })

  test('compares one changed rule among a thousand quickly', () => {
    const rules = Array.from({ length: 1000 }, (_, index) =>
      inForce({
        id: `r${index}`,
        match: { capability: `noun${index}.verb`, value: { lte: index } },
        decision: 'ALLOW',
      }),
    )
    const startedMs = threadMs()
    expect(compareRuleSets(rules, [...rules.slice(1), block]).effect).toBe('narrows')
    expect(threadMs() - startedMs).toBeLessThan(500)
  })
})

test('what is said to narrow or to be neutral never lets more through', () => {
  const changed = fc.record({
    // Under a grant of everything more changes make a difference.
    common: fc
      .tuple(fc.boolean(), fc.array(ruleArbitrary(), { maxLength: 2 }))
      .map(([granted, rules]) => (granted ? [grantOfEverything, ...rules] : rules)),
    removed: fc.array(ruleArbitrary(), { maxLength: 1 }),
    added: fc.array(ruleArbitrary(), { maxLength: 1 }),
    edit: editArbitrary,
  })
  const questions = fc.array(fc.tuple(actionArbitrary, envelopeArbitrary, factsArbitrary), {
    minLength: 10,
    maxLength: 10,
  })
  const seen = { widens: 0, narrows: 0, neutral: 0 }
  fc.assert(
    fc.property(changed, questions, ({ common, removed, added, edit }, asked) => {
      const before = [...common, ...removed, edit.before]
      const after = [...common, ...added, edit.after]
      const { effect } = compareRuleSets(before, after)
      seen[effect]++
      if (effect === 'widens') return
      const [old, now] = [compileRules(before), compileRules(after)]
      for (const question of asked) {
        const was = evaluate(old, ...question)
        const is = evaluate(now, ...question)
        expect(notMore(is, was)).toBe(true)
        if (effect === 'neutral') expect(notMore(was, is)).toBe(true)
      }
    }),
    { numRuns: 5000 },
  )
  expect(seen.narrows).toBeGreaterThan(100)
  expect(seen.neutral).toBeGreaterThan(20)
})

/** Whether a verdict lets no more through than another, and asks for no less. */
function notMore(now: Verdict, old: Verdict): boolean {
  if (now.decision === 'BLOCK') return true
  if (old.decision === 'BLOCK') return false
  return old.holds.every((hold) => now.holds.some((other) => atLeast(other, hold)))
}

function atLeast(now: Hold, old: Hold): boolean {
  const wait = (hold: Hold) => hold.expires_in_ms ?? 72 * 3_600_000
  if (old.mode === 'notify') return true
  return (
    now.mode === 'hold' &&
    now.approvers.role === old.approvers.role &&
    now.approvers.quorum >= old.approvers.quorum &&
    wait(now) <= wait(old) &&
    old.separate_from.every((whom) => now.separate_from.includes(whom)) &&
    (now.signed || !old.signed)
  )
}
