import { describe, expect, test } from 'vitest'
import { backtest, type RecordedDecision } from '../../controller/domain/backtest.ts'
import { type Counter, counterId } from '../../controller/domain/counters.ts'
import { compileRules, evaluate } from '../../controller/domain/gate.ts'
import type { Address, Digest } from '../../controller/domain/ids.ts'
import { rulesOfPolicy } from '../../controller/domain/rules.ts'
import type { GateAction } from '../../controller/domain/verdict.ts'
import { nowMs, tenant } from '../support/arbitrary-rules.ts'
import { threadMs } from '../support/thread-time.ts'

const policy = {
  address: 'acme/TrustPolicy/p' as Address,
  owner: tenant.id,
  commit: null,
  digest: 'sha256:p' as Digest,
}
const rulesOf = (...rules: object[]) => compileRules(rulesOfPolicy(policy, { rules: rules as never }))
const upTo = (lte: number) =>
  rulesOf({ id: 'r', match: { capability: 'refund.issue', value: { lte } }, decision: 'ALLOW' })
const envelope = { event: null, tenant, now: nowMs }

function refund(amount: number): GateAction {
  return {
    capability: 'refund.issue',
    connection: 'orders',
    entity: `order:${amount}`,
    value: { amount: String(amount), currency: 'EUR' },
    tier: 2,
    args: {},
    proposer: { kind: 'operator', name: 'refunds' },
    operator: 'refunds',
    change: 'none',
  }
}

function recorded(count: number): RecordedDecision[] {
  const rules = upTo(250)
  return Array.from({ length: count }, (_, index) => {
    const action = refund(index % 500)
    const { decision } = evaluate(rules, action, envelope, { counters: {} })
    return { id: `act_${index}`, action, envelope, facts: { counters: {} }, decision }
  })
}

describe('a backtest', () => {
  test('flips nothing when the rules in force are replayed', () => {
    expect(backtest(recorded(500), upTo(250), upTo(250))).toEqual({
      replayed: 500,
      not_replayable: 0,
      looser: 0,
      stricter: 0,
      differs_from_record: 0,
      flips: [],
    })
  })

  test('counts flips both ways and lists the first of them', () => {
    const looser = backtest(recorded(500), upTo(250), upTo(300), 2)
    expect(looser).toMatchObject({ looser: 50, stricter: 0 })
    expect(looser.flips).toEqual([
      {
        id: 'act_251',
        capability: 'refund.issue',
        entity: 'order:251',
        from: 'BLOCK',
        to: 'ALLOW',
        reason: 'acme/TrustPolicy/p#r allows it',
      },
      expect.objectContaining({ id: 'act_252' }),
    ])
    expect(backtest(recorded(500), upTo(250), upTo(200))).toMatchObject({ looser: 0, stricter: 50 })
  })

  test('says when a record is of other rules than those in force', () => {
    expect(backtest(recorded(500), upTo(300), upTo(300))).toMatchObject({ differs_from_record: 50 })
  })

  test('guesses no count: what was not recorded, or not far enough back, is not replayable', () => {
    const asked = (per: string) =>
      rulesOf({ id: 'r', match: { capability: 'refund.issue' }, decision: 'ALLOW', require: { rate: { max: 1, per } } })
    const key = { capability: 'refund.issue', by: 'tenant' as const, value: tenant.id }
    const minute = nowMs / 60_000
    const row: Counter = { key, since: minute - 60, buckets: [{ minute: minute - 5, count: 1, sums: {} }] }
    const [decision] = recorded(1)
    const known = { ...decision!, facts: { counters: { [counterId(key)]: row } } }
    expect(backtest([decision!], upTo(250), asked('1h'))).toMatchObject({ replayed: 0, not_replayable: 1 })
    expect(backtest([known], upTo(250), asked('2h'))).toMatchObject({ replayed: 0, not_replayable: 1 })
    expect(backtest([known], upTo(250), asked('1h'))).toMatchObject({ replayed: 1, stricter: 1 })
  })

  test('replays 5,000 decisions well within half a second', () => {
    const decisions = recorded(5000)
    const startedMs = threadMs()
    expect(backtest(decisions, upTo(250), upTo(300)).replayed).toBe(5000)
    expect(threadMs() - startedMs).toBeLessThan(500)
  })
})
