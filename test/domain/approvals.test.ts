import { describe, expect, test } from 'vitest'
import { type Approval, holdExpiryMs, holdsSatisfied, mayVeto } from '../../controller/domain/approvals.ts'
import type { TenantId } from '../../controller/domain/ids.ts'
import type { Hold } from '../../controller/domain/verdict.ts'

const acme = 't_acme' as TenantId
const platform = 't_platform' as TenantId

function hold(more: Partial<Hold> = {}): Hold {
  return {
    rule: 'large',
    policy: 'acme/TrustPolicy/p',
    owner: acme,
    mode: 'hold',
    approvers: { role: 'finance', quorum: 2 },
    separate_from: ['proposer', 'author'],
    expires_in_ms: null,
    signed: false,
    ...more,
  }
}

function by(person: string, roles: string[] = ['finance'], more: Partial<Approval> = {}): Approval {
  return { person, roles: { [acme]: roles }, approvesIn: roles.length > 0 ? [acme] : [], signed: false, ...more }
}

const separated = { proposer: 'paula', authors: ['anna', 'abe'], signers: ['anna'] }

describe('a held change', () => {
  test.each<[string, Hold[], Approval[], boolean]>([
    ['is carried out by two different people', [hold()], [by('jane'), by('joe')], true],
    ['is not by one person twice', [hold()], [by('jane'), by('jane')], false],
    ['is not by its author', [hold()], [by('jane'), by('anna')], false],
    ['is not by any of its authors', [hold()], [by('jane'), by('abe')], false],
    ['is not by who proposed it', [hold()], [by('jane'), by('paula')], false],
    ['is by its author where the rule lets them', [hold({ separate_from: [] })], [by('jane'), by('anna')], true],
    [
      'is not by its signer where the rule says so',
      [hold({ separate_from: ['signer'] })],
      [by('jane'), by('anna')],
      false,
    ],
    ['is not by someone without the role', [hold()], [by('jane'), by('joe', ['ops'])], false],
    [
      'is not by the role in another domain',
      [hold()],
      [by('jane'), by('joe', [], { roles: { [platform]: ['finance'] } })],
      false,
    ],
    [
      'needs signatures where the rule asks for them',
      [hold({ signed: true })],
      [by('jane', ['finance'], { signed: true }), by('joe')],
      false,
    ],
    [
      'is by whoever may approve where no role is named',
      [hold({ approvers: { role: null, quorum: 1 } })],
      [by('jane', ['ops'])],
      true,
    ],
    [
      'is not by who may not approve',
      [hold({ approvers: { role: null, quorum: 1 } })],
      [by('jane', ['ops'], { approvesIn: [] })],
      false,
    ],
    [
      'needs every hold met by its own approvers',
      [hold(), hold({ rule: 'ops', approvers: { role: 'ops', quorum: 1 } })],
      [by('jane'), by('joe')],
      false,
    ],
    [
      'lets a person count once in each hold',
      [hold(), hold({ rule: 'ops', approvers: { role: 'ops', quorum: 1 } })],
      [by('jane', ['finance', 'ops']), by('joe')],
      true,
    ],
    ['asks nobody for a notice', [hold({ mode: 'notify' })], [], true],
  ])('%s', (_, holds, approvals, want) => {
    expect(holdsSatisfied(holds, approvals, separated).satisfied).toBe(want)
  })

  test('says what it waits for', () => {
    expect(holdsSatisfied([hold()], [by('jane')], separated).waiting).toEqual([
      { rule: 'large', policy: 'acme/TrustPolicy/p', owner: acme, role: 'finance', have: 1, need: 2, because: null },
    ])
  })

  test('is met only by signed commits where its signer must be told apart', () => {
    const unsigned = { ...separated, signers: null }
    const { satisfied, waiting } = holdsSatisfied(
      [hold({ separate_from: ['signer'] })],
      [by('jane'), by('joe')],
      unsigned,
    )
    expect(satisfied).toBe(false)
    expect(waiting).toMatchObject([{ because: 'the change is not signed' }])
  })

  test('may be vetoed by any approver, its author among them, and by nobody else', () => {
    expect(mayVeto([hold()], by('anna'))).toBe(true)
    expect(mayVeto([hold()], by('joe', ['ops']))).toBe(false)
    expect(mayVeto([hold({ mode: 'notify' })], by('jane'))).toBe(false)
  })

  test('waits as long as its shortest hold', () => {
    expect(holdExpiryMs([hold({ expires_in_ms: 5 }), hold()], 72)).toBe(5)
    expect(holdExpiryMs([hold({ expires_in_ms: 500 }), hold()], 72)).toBe(72)
  })
})
