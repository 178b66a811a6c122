import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileRules, evaluate } from '../../controller/domain/gate.ts'
import { compileGlob } from '../../controller/domain/glob.ts'
import type { Decision, RuleInForce } from '../../controller/domain/rules.ts'
import type { Verdict } from '../../controller/domain/verdict.ts'
import {
  actionArbitrary,
  envelopeArbitrary,
  factsArbitrary,
  poolArbitrary,
  ruleArbitrary,
} from '../support/arbitrary-rules.ts'
import { globMatches, referenceGate } from '../support/reference-gate.ts'

const questions = [actionArbitrary, envelopeArbitrary, factsArbitrary] as const
const rank: Record<Decision, number> = { BLOCK: 0, ALERT: 1, ALLOW: 2 }
const keysOf = (list: readonly { policy: string; rule: string }[]) =>
  [...new Set(list.map(({ policy, rule }) => `${policy}#${rule}`))].sort()

describe('the trust gate', () => {
  test('agrees with the slow reference', () => {
    fc.assert(
      fc.property(poolArbitrary, ...questions, (pool, action, envelope, facts) => {
        fc.pre(pool.length > 0)
        const got = evaluate(compileRules(pool), action, envelope, facts)
        const want = referenceGate(pool, action, envelope, facts)
        expect({ decision: got.decision, rules: keysOf(got.rules), holds: keysOf(got.holds) }).toEqual(want)
      }),
      { numRuns: 4000 },
    )
  })

  test('gives the same verdict for rules in any order', () => {
    const shuffled = poolArbitrary.chain((pool) =>
      fc.tuple(fc.constant(pool), fc.shuffledSubarray(pool, { minLength: pool.length })),
    )
    fc.assert(
      fc.property(shuffled, ...questions, ([pool, other], action, envelope, facts) => {
        expect(evaluate(compileRules(other), action, envelope, facts)).toEqual(
          evaluate(compileRules(pool), action, envelope, facts),
        )
      }),
      { numRuns: 1000 },
    )
  })

  const plainAllow = ruleArbitrary(['ALLOW']).map((rule) => ({ ...rule, rule: withoutRequire(rule) }))

  test('never gives less for one more plain ALLOW', () => {
    fc.assert(
      fc.property(poolArbitrary, plainAllow, ...questions, (pool, extra, action, envelope, facts) => {
        fc.pre(pool.length > 0)
        const without = evaluate(compileRules(pool), action, envelope, facts)
        const withIt = evaluate(compileRules([...pool, extra]), action, envelope, facts)
        expect(rank[withIt.decision]).toBeGreaterThanOrEqual(rank[without.decision])
      }),
      { numRuns: 1000 },
    )
  })

  test('never gives more for one more BLOCK or constraint', () => {
    const narrowing = ruleArbitrary(['BLOCK', null])
    fc.assert(
      fc.property(poolArbitrary, narrowing, ...questions, (pool, extra, action, envelope, facts) => {
        const without = evaluate(compileRules(pool), action, envelope, facts)
        const withIt = evaluate(compileRules([...pool, extra]), action, envelope, facts)
        expect(rank[withIt.decision]).toBeLessThanOrEqual(rank[without.decision])
      }),
      { numRuns: 1000 },
    )
  })

  test('never gives more where a condition fails than where it holds or does not', () => {
    fc.assert(
      fc.property(poolArbitrary, ruleArbitrary(), ...questions, (pool, rule, action, envelope, facts) => {
        const decide = (when: string) => {
          const changed = { ...rule, rule: { ...rule.rule, match: { ...rule.rule.match, when } } }
          return rank[evaluate(compileRules([...pool, changed]), action, envelope, facts).decision]
        }
        const failing = decide('action.args.missing == 1')
        expect(failing).toBeLessThanOrEqual(Math.min(decide('true'), decide('false')))
      }),
      { numRuns: 1000 },
    )
  })

  test('is not moved by shadow rules', () => {
    fc.assert(
      fc.property(
        poolArbitrary,
        fc.array(ruleArbitrary(), { maxLength: 3 }),
        ...questions,
        (pool, extra, ...question) => {
          fc.pre(pool.length > 0)
          const shadows = extra.map((rule): RuleInForce => ({ ...rule, stage: 'shadow' }))
          const without = decided(evaluate(compileRules(pool), ...question))
          expect(decided(evaluate(compileRules([...pool, ...shadows]), ...question))).toEqual(without)
        },
      ),
      { numRuns: 1000 },
    )
  })
})

test('globs agree with a slow reference', () => {
  const pieces = fc.constantFrom('a', 'b', '*', '**', '.', ':', '/', '.', 'a*', '*b')
  const patterns = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''))
  const texts = fc.array(fc.constantFrom('a', 'b', '.', ':', '/', '.'), { maxLength: 8 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(patterns, texts, (pattern, text) => {
      expect(compileGlob(pattern).matches(text)).toBe(globMatches(pattern, text))
    }),
    { numRuns: 10_000 },
  )
})

function decided({ decision, rules, reasons, holds, near_misses }: Verdict) {
  return { decision, rules, reasons, holds, near_misses }
}

function withoutRequire({ rule }: RuleInForce): RuleInForce['rule'] {
  const { require: _, ...rest } = rule
  return rest
}
