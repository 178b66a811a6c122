import { beforeAll, describe, expect, test } from 'vitest'
import type { Change } from '../../controller/domain/change.ts'
import { classifyChange } from '../../controller/domain/classify.ts'
import { counterId, type Facts } from '../../controller/domain/counters.ts'
import type { Address, Digest } from '../../controller/domain/ids.ts'
import type { JsonObject } from '../../controller/domain/json.ts'
import type { GateAction, Verdict } from '../../controller/domain/verdict.ts'
import { kindInfo } from '../../schemas/index.ts'
import { judge, noon, type Standing, standing } from './repository.ts'

let state: Standing
beforeAll(async () => {
  state = await standing()
})

const person = { kind: 'person', name: 'acme/User/ken' } as const
const euros = (amount: string) => ({ value: { amount, currency: 'EUR' }, args: { currency: 'EUR' } }) as const
const refund = (amount: string, rest: Partial<GateAction> = {}): Partial<GateAction> => ({
  capability: 'refund.issue',
  operator: null,
  proposer: person,
  tier: 2,
  ...euros(amount),
  ...rest,
})
const bySupport = { operator: 'support', proposer: { kind: 'operator', name: 'support' } } as const
const reply = (body: string) => ({
  capability: 'ticket.reply',
  connection: 'support',
  entity: 'ticket:1',
  args: { body },
})
const config = (capability: string, change: GateAction['change'], rest: Partial<GateAction> = {}) =>
  ({
    ...{ capability: `config.${capability}`, connection: 'fibric', change, operator: null },
    proposer: { kind: 'person', name: 'local:someone' },
    args: { fields: [] },
    ...rest,
  }) as const

interface Row {
  readonly name: string
  readonly tenant: string
  readonly action: Partial<GateAction>
  readonly at?: string
  readonly want: Verdict['decision']
  /** Rule ids among those that decided. */
  readonly by?: readonly string[]
  readonly quorum?: number
}

const rows: readonly Row[] = [
  { name: 'a small refund runs', tenant: 'acme', action: refund('120.00'), want: 'ALLOW', by: ['small-refunds'] },
  {
    name: 'a large one waits for two of finance',
    tenant: 'acme',
    action: refund('250.01'),
    want: 'ALERT',
    by: ['large-refunds'],
    quorum: 2,
  },
  {
    name: 'a huge one is refused, whoever approves',
    tenant: 'acme',
    action: refund('5000.01'),
    want: 'BLOCK',
    by: ['refund-ceiling'],
  },
  {
    name: 'a refund in another currency is refused',
    tenant: 'acme',
    action: refund('10', { value: { amount: '10', currency: 'USD' }, args: { currency: 'USD' } }),
    want: 'BLOCK',
    by: ['euros-only', 'small-refunds'],
  },
  {
    name: 'a refund at night is told to somebody and runs',
    tenant: 'acme',
    action: refund('10'),
    at: '2026-11-25T23:00:00Z',
    want: 'ALERT',
    by: ['night-refunds-are-told'],
    quorum: 0,
  },
  {
    name: 'an operator that reads strangers gets the tighter limit',
    tenant: 'acme',
    action: refund('120.00', bySupport),
    want: 'BLOCK',
    by: ['one-small-refund-an-order'],
  },
  {
    name: 'an answer without a link goes out',
    tenant: 'acme',
    action: { ...reply('Dear Ada, it is on its way.'), tier: 2, ...bySupport },
    want: 'ALLOW',
  },
  {
    name: 'an answer with a link is read first',
    tenant: 'acme',
    action: { ...reply('See https://evil.example'), tier: 2, ...bySupport },
    want: 'ALERT',
    by: ['links-are-read-first'],
    quorum: 1,
  },
  { name: 'an order is held by its operator', tenant: 'acme', action: {}, want: 'ALLOW', by: ['holds'] },
  { name: 'and by no other', tenant: 'acme', action: bySupport, want: 'BLOCK' },
  { name: 'an operator releases nothing', tenant: 'acme', action: { capability: 'order.release' }, want: 'BLOCK' },
  {
    name: 'a person does',
    tenant: 'acme',
    action: { capability: 'order.release', operator: null, proposer: person },
    want: 'ALLOW',
    by: ['orders-by-hand'],
  },
  {
    name: 'a voucher is given during the season',
    tenant: 'acme',
    action: { capability: 'voucher.issue', ...bySupport, ...euros('10') },
    want: 'ALLOW',
  },
  {
    name: 'and not a minute after it',
    tenant: 'acme',
    action: { capability: 'voucher.issue', ...bySupport, ...euros('10') },
    at: '2027-01-31T00:00:00Z',
    want: 'BLOCK',
  },
  {
    name: 'a tier 3 action of an operator asks the platform',
    tenant: 'acme',
    action: { tier: 3, capability: 'ticket.tag', connection: 'support', ...bySupport },
    want: 'ALERT',
    by: ['dangerous-asks'],
  },
  {
    name: 'in the sandbox a large refund just runs',
    tenant: 'acme-sandbox',
    action: refund('4000'),
    want: 'ALLOW',
    by: ['any-refund'],
  },
  {
    name: 'a letter of the city is read by a clerk',
    tenant: 'city-of-x',
    action: {
      capability: 'notice.send',
      connection: 'permits',
      entity: 'permit:1',
      tier: 2,
      operator: 'permit-triage',
    },
    at: '2026-11-25T18:00:00Z',
    want: 'ALERT',
    by: ['letters-are-read'],
    quorum: 1,
  },
  {
    name: 'at night the reseller is asked as well',
    tenant: 'city-of-x',
    action: {
      capability: 'notice.send',
      connection: 'permits',
      entity: 'permit:1',
      tier: 2,
      operator: 'permit-triage',
    },
    at: '2026-11-25T07:00:00Z',
    want: 'ALERT',
    by: ['letters-are-read', 'letters-in-office-hours'],
    quorum: 2,
  },
  {
    name: "a reseller's tenant pays nobody",
    tenant: 'city-of-x',
    action: { capability: 'payment.card.charge', operator: 'permit-triage' },
    want: 'BLOCK',
    by: ['no-payments'],
  },
  {
    name: 'acme knows nothing of that reseller',
    tenant: 'acme',
    action: { capability: 'notice.send', operator: 'support' },
    want: 'BLOCK',
    by: [],
  },
  {
    name: 'a subscription is made by the registrar',
    tenant: 'acme',
    action: { capability: 'webhook.create', operator: null, proposer: { kind: 'builtin', name: 'builtin:registrar' } },
    want: 'ALLOW',
  },
  {
    name: 'and by nobody else',
    tenant: 'acme',
    action: { capability: 'webhook.create', operator: null, proposer: person },
    want: 'BLOCK',
  },
  {
    name: 'a narrowing change goes through',
    tenant: 'acme',
    action: config('operator.update', 'narrows'),
    want: 'ALLOW',
    by: ['narrowing-goes-through'],
  },
  {
    name: 'a neutral one too',
    tenant: '_platform',
    action: config('model.update', 'neutral'),
    want: 'ALLOW',
    by: ['neutral-goes-through'],
  },
  {
    name: 'a changed prompt asks one person',
    tenant: 'acme',
    action: config('operator.update', 'behaviour'),
    want: 'ALERT',
    by: ['behaviour-asks-one'],
    quorum: 1,
  },
  {
    name: 'a widening change asks two',
    tenant: 'acme',
    action: config('operator.create', 'widens'),
    want: 'ALERT',
    by: ['widening-asks-two'],
    quorum: 2,
  },
  {
    name: 'in the sandbox just as well',
    tenant: 'acme-sandbox',
    action: config('operator.create', 'widens'),
    want: 'ALERT',
    by: ['widening-asks-two'],
    quorum: 2,
  },
  {
    name: 'deleting a tenant asks two although it narrows',
    tenant: 'acme',
    action: config('tenant.delete', 'narrows'),
    want: 'ALERT',
    by: ['tenant-deletion-asks-two'],
    quorum: 2,
  },
  {
    name: 'residency is not deleted',
    tenant: 'city-of-x',
    action: config('modelpolicy.delete', 'widens', { entity: 'city-of-x/ModelPolicy/residency' }),
    want: 'BLOCK',
    by: ['residency-is-not-deleted'],
  },
  {
    name: 'nor edited',
    tenant: 'city-of-x',
    action: config('modelpolicy.update', 'widens', { args: { fields: ['spec.require'] } }),
    want: 'BLOCK',
    by: ['residency-is-not-edited'],
  },
  {
    name: 'what else stands beside it may be',
    tenant: 'city-of-x',
    action: config('modelpolicy.update', 'narrows', { args: { fields: ['spec.budget'] } }),
    want: 'ALLOW',
  },
]

describe('the rules of `tenants/`', () => {
  test.each(rows)('$name', ({ tenant, action, at, want, by, quorum }) => {
    const verdict = judge(state, tenant, action, at === undefined ? noon : Date.parse(at))
    expect(verdict.decision, JSON.stringify(verdict.reasons)).toBe(want)
    if (by !== undefined) expect(verdict.rules.map(({ rule }) => rule).sort()).toEqual([...by].sort())
    const asked = verdict.holds.filter(({ mode }) => mode === 'hold')
    if (quorum !== undefined) expect(asked.reduce((sum, { approvers }) => sum + approvers.quorum, 0)).toBe(quorum)
  })

  test('after forty holds in an hour the owner is asked instead of the shop being closed', () => {
    const key = { capability: 'order.hold', by: 'tenant' as const, value: 't_acme' }
    const minute = Math.floor(noon / 60_000) - 5
    const facts: Facts = {
      counters: { [counterId(key)]: { key, since: 0, buckets: [{ minute, count: 40, sums: {} }] } },
    }
    const verdict = judge(state, 'acme', {}, noon, facts)
    expect(verdict.decision).toBe('ALERT')
    expect(verdict.holds.map(({ approvers }) => approvers.role)).toEqual(['owner'])
  })

  test('the rule on trial says what it would have done, and decides nothing', () => {
    const key = { capability: 'refund.issue', by: 'tenant' as const, value: 't_acme' }
    const bucket = { minute: Math.floor(noon / 60_000) - 5, count: 9, sums: { EUR: '990' } }
    const facts: Facts = { counters: { [counterId(key)]: { key, since: 0, buckets: [bucket] } } }
    const verdict = judge(state, 'acme', refund('20'), noon, facts)
    expect(verdict.decision).toBe('ALLOW')
    expect(verdict.shadow.map(({ rule, decision }) => [rule, decision])).toEqual([
      ['refunds-of-a-thousand-an-hour-ask', 'ALERT'],
    ])
  })
})

describe('what comments in `tenants/` say of changes', () => {
  test.each([
    {
      name: 'a rule on trial that begins to decide narrows',
      address: 'acme/TrustPolicy/refund-trend',
      edit: (spec: JsonObject): JsonObject => ({ ...spec, stage: 'enforce' }),
      want: 'narrows',
    },
    {
      name: 'a letter that nobody reads any more widens',
      address: 'city-of-x/TrustPolicy/permits',
      edit: (spec: JsonObject): JsonObject => ({
        ...spec,
        rules: (spec.rules as readonly JsonObject[]).map(({ alert, ...rule }) =>
          alert ? { ...rule, decision: 'ALLOW' } : rule,
        ),
      }),
      want: 'widens',
    },
    {
      name: 'an edited prompt is behaviour',
      address: 'acme/Operator/support',
      edit: (spec: JsonObject): JsonObject => ({
        ...spec,
        reason: {
          model: { ...(spec.reason as { model: JsonObject }).model, prompt: { file: `sha256:${'0'.repeat(64)}` } },
        },
      }),
      want: 'behaviour',
    },
    {
      name: 'a corrected price is neutral',
      address: '_platform/Model/claude-us',
      edit: (spec: JsonObject): JsonObject => ({
        ...spec,
        price: { inputPerMTok: 4, outputPerMTok: 16, currency: 'USD' },
      }),
      want: 'neutral',
    },
    {
      name: 'residency that is dropped widens',
      address: 'city-of-x/ModelPolicy/residency',
      edit: ({ require: _, ...spec }: JsonObject): JsonObject => spec,
      want: 'widens',
    },
  ])('$name', ({ address, edit, want }) => {
    const before = state.contents.get(address as Address)!
    const change = {
      ...{ address, addressBefore: null, generationBefore: 1 },
      ...{ digestBefore: `sha256:${'1'.repeat(64)}`, digestAfter: `sha256:${'2'.repeat(64)}` as Digest },
    } as Change
    const after = { ...before, spec: edit(before.spec) }
    const authority = classifyChange(change, { before, after }, state.pools, (kind) => kindInfo(kind)!.schema)
    expect(authority.class, authority.reasons.join('\n')).toBe(want)
  })
})
