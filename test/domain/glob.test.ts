import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileGlob } from '../../controller/domain/glob.ts'
import { covers, disjoint } from '../../controller/domain/glob-relations.ts'
import { threadMs } from '../support/thread-time.ts'

describe('a glob', () => {
  test.each([
    ['refund.issue', 'refund.issue', true],
    ['refund.issue', 'refund.issued', false],
    ['refund.*', 'refund.issue', true],
    ['refund.*', 'refund.', false],
    ['refund.*', 'refund', false],
    ['refund.*', 'refund.issue.now', false],
    ['*.issue', 'refund.issue', true],
    ['*', 'refund', true],
    ['*', 'refund.issue', false],
    ['order-*', 'order-', true],
    ['order-*', 'order-risk', true],
    ['order-*', 'order-risk.x', false],
    ['or*-r*k', 'order-risk', true],
    ['**', '', true],
    ['**', 'a.b:c/d', true],
    ['config.**', 'config', true],
    ['config.**', 'config.', true],
    ['config.**', 'config.user.create', true],
    ['config.**', 'configuration.x', false],
    ['config.**', 'config:user', false],
    ['**.create', 'create', true],
    ['**.create', 'config.user.create', true],
    ['**.create', 'recreate', false],
    ['config.**.create', 'config.create', true],
    ['config.**.create', 'config.a.b.create', true],
    ['config.**.create', 'config.a.b.created', false],
    ['order:*', 'order:17', true],
    ['order:*', 'order:17:line', false],
    ['order:**', 'order:17:line/2', true],
    ['acme/Operator/*', 'acme/Operator/order-risk', true],
    ['acme/*', 'acme/Operator/order-risk', false],
    ['acme/**', 'acme/Operator/order-risk', true],
    ['a**b', 'axxb', true],
    ['a**b', 'ax.xb', false],
    ['*.**.*', 'a', false],
    ['*.**.*', 'a.b', true],
    ['**.**', 'a', true],
    ['', '', true],
    ['', 'a', false],
  ])('%s against %s is %s', (pattern, text, want) => {
    expect(compileGlob(pattern).matches(text)).toBe(want)
  })

  test('takes time linear in the text, whatever the pattern', () => {
    const glob = compileGlob(`${'**.a.'.repeat(20)}b`)
    const startedMs = threadMs()
    expect(glob.matches('a.'.repeat(5000))).toBe(false)
    expect(threadMs() - startedMs).toBeLessThan(1500)
  })
})

describe('two globs', () => {
  test.each([
    ['**', 'a.*', true],
    ['config.**', 'config.user.*', true],
    ['config.*.*', 'config.**', false],
    ['refund.*', 'refund.issue', true],
    ['*.*', 'refund.iss*', true],
    ['refund.issue', 'refund.*', false],
    ['a*', 'ab*', true],
    ['a.**.b', 'a.b', true],
    ['**.**', '**', true],
  ])('%s covers %s: %s', (wider, narrower, want) => {
    expect(covers(wider, narrower)).toBe(want)
  })

  test.each([
    ['refund.*', 'order.*', true],
    ['refund.*', '*.issue', false],
    ['config.**', 'refund.**', true],
    ['a*', '*b', false],
    ['a.*', 'a', true],
    ['order:*', 'order.*', true],
  ])('%s and %s are disjoint: %s', (left, right, want) => {
    expect(disjoint(left, right)).toBe(want)
  })

  const patterns = fc
    .array(fc.constantFrom('a', 'b', '*', '**', '.', ':', '.', 'a*'), { maxLength: 7 })
    .map((pieces) => pieces.join(''))
  const texts = fc.array(fc.constantFrom('a', 'b', 'c', '.', ':'), { maxLength: 7 }).map((pieces) => pieces.join(''))

  test('keep their relation on every text', () => {
    fc.assert(
      fc.property(patterns, patterns, texts, (left, right, text) => {
        const inLeft = compileGlob(left).matches(text)
        const inRight = compileGlob(right).matches(text)
        if (covers(left, right) && inRight) expect(inLeft).toBe(true)
        if (disjoint(left, right)) expect(inLeft && inRight).toBe(false)
      }),
      { numRuns: 3000 },
    )
  })
})
