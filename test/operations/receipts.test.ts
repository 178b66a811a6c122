import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterEach, expect, test } from 'vitest'
import { canonicalJson } from '../../controller/domain/canonical-json.ts'
import { answerPlans } from '../../controller/operations/plans.ts'
import { suspend } from '../../controller/operations/runtime-records.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { naiveRoot } from './naive-tree.ts'
import { docs, governed, parameter, role, user } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

interface Entry {
  readonly tenant_id: string
  readonly entry_id: string
  readonly kind: string
  readonly bytes: Buffer
  readonly leaf: Buffer
  readonly position: number | null
}

/** A deployment in which a change of every end that configuration knows has left its receipt. */
async function eventfulEngine(): Promise<Entry[]> {
  const rules = governed['tenants/_platform/policy.yaml']!
  engine = await testEngine({
    ...governed,
    'tenants/_platform/policy.yaml': `${rules.trimEnd()}\n    - {id: never, match: {capability: config.parameter.delete}, decision: BLOCK}\n`,
    'tenants/acme/p.yaml': docs(parameter('a', 1), parameter('b', 1)),
  })
  await engine.apply()
  engine.write({
    'tenants/acme/p.yaml': docs(parameter('a', 2)),
    'tenants/acme/r.yaml': docs(role('clerk'), user('eve', 'clerk'), role('teller')),
  })
  const { outcomes } = await engine.apply()
  const idOf = (address: string): string => outcomes.find((each) => each.address === address)!.actionId!
  await answerPlans(await engine.as('_platform/User/ana'), idOf('acme/Role/teller'), 'approve', 'good')
  await answerPlans(await engine.as('_platform/User/ben'), idOf('acme/Role/teller'), 'approve', null)
  await answerPlans(await engine.as('_platform/User/ben'), idOf('acme/Role/clerk'), 'veto', 'no')
  engine.write({ 'tenants/acme/r.yaml': docs(role('teller'), role('boss')) })
  await engine.apply()
  engine.write({ 'tenants/acme/r.yaml': docs(role('teller'), role('head')) })
  await engine.apply()
  engine.time.now += 72 * 3_600_000
  await engine.apply()
  await suspend(engine, 'acme/Parameter/a' as never, 'incident', 1000)
  return engine.sql<Entry>(
    `select tenant_id, entry_id, e.kind, bytes, leaf, position from fibric.ledger_entry e
       left join fibric.ledger_position using (tenant_id, entry_id) order by tenant_id, position`,
  )
}

test('every action that ended has one receipt that says how, and every one that waits has none', async () => {
  const entries = await eventfulEngine()
  const receipts = entries
    .filter(({ kind }) => kind === 'receipt')
    .map(({ bytes }) => JSON.parse(bytes.toString('utf8')))
  const actions = await engine.sql<{ action_id: string; state: string; receipt_id: string | null }>(
    'select action_id, state, receipt_id from fibric.action',
  )
  const ended = actions.filter(({ receipt_id }) => receipt_id !== null)
  expect(
    receipts.map(({ action_id, outcome, receipt_id }) => ({ action_id, state: outcome, receipt_id })).sort(byAction),
  ).toEqual(ended.sort(byAction))
  expect(new Set(ended.map(({ state }) => state))).toEqual(
    new Set(['applied', 'blocked', 'vetoed', 'skipped', 'superseded', 'expired']),
  )
  for (const { state, receipt_id } of actions) expect(receipt_id === null).toBe(['held', 'planned'].includes(state))
})

test('the receipt of an action tells of the plan that proposed it, whichever run ended it', async () => {
  const entries = await eventfulEngine()
  const plans = await engine.sql<{ plan_id: string; config_plan_id: string; correlation_id: string; tree: string }>(
    `select plan_id, config_plan_id, correlation_id, source ->> 'tree' as tree from fibric.execution_plan`,
  )
  const byId = new Map(plans.map((plan) => [plan.plan_id, plan]))
  for (const { kind, bytes } of entries) {
    if (kind !== 'receipt') continue
    const { plan_id, config_plan_id, correlation_id, source } = JSON.parse(bytes.toString('utf8'))
    expect({ plan_id, config_plan_id, correlation_id, tree: source.tree ?? null }).toEqual(byId.get(plan_id))
  }
})

test('the bytes of an entry are canonical, its leaf is SHA-256 of a zero byte and them, and they fit the published schema', async () => {
  const entries = await eventfulEngine()
  const schema = JSON.parse(readFileSync(new URL('../../schemas/receipt.json', import.meta.url), 'utf8'))
  const validate = new Ajv2020({ strict: false, allErrors: true, validateFormats: false }).compile(schema)
  for (const { bytes, leaf, kind, entry_id } of entries) {
    const value = JSON.parse(bytes.toString('utf8'))
    expect(canonicalJson(value)).toBe(bytes.toString('utf8'))
    expect(createHash('sha256').update(Buffer.of(0)).update(bytes).digest('hex')).toBe(leaf.toString('hex'))
    expect(validate(value), `${kind} ${entry_id} ${JSON.stringify(validate.errors)}`).toBe(true)
  }
})

test('the head of every domain is the tree over its entries in the order of their positions', async () => {
  const entries = await eventfulEngine()
  const heads = await engine.sql<{ tenant_id: string; size: number; root: Buffer }>(
    'select tenant_id, size, root from fibric.ledger_head',
  )
  for (const [tenantId, own] of Map.groupBy(entries, (entry) => entry.tenant_id)) {
    expect(own.map(({ position }) => position)).toEqual(own.map((_, index) => index))
    const head = heads.find(({ tenant_id }) => tenant_id === tenantId)!
    expect(head.size).toBe(own.length)
    expect(head.root.toString('hex')).toBe(naiveRoot(own.map(({ leaf }) => leaf)).toString('hex'))
  }
})

function byAction(a: { action_id: string }, b: { action_id: string }): number {
  return a.action_id < b.action_id ? -1 : 1
}
