import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ActionId } from '../../controller/domain/ids.ts'
import { controlAction, listActions } from '../../controller/operations/actions.ts'
import { offBoardDeleted } from '../../controller/operations/off-boarding.ts'
import { setSecret } from '../../controller/operations/secrets.ts'
import { trace } from '../../controller/operations/trace.ts'
import { startWorld, type World } from '../executor/effects/world.ts'
import { fates } from '../support/engine.ts'
import { answers, staysSilent } from '../support/provider.ts'
import { allowAll, parameter, policy, role } from './repositories.ts'

const rules = [
  '{id: things, match: {capability: "thing.*"}, decision: ALLOW}',
  '{id: ask, match: {capability: thing.idempotent}, decision: ALERT, alert: {mode: hold, approvers: {role: ops}}}',
]
const heldParameters =
  '{id: parameters, match: {capability: config.parameter.create}, decision: ALERT, alert: {mode: hold, approvers: {role: boss}}}'

let w: World
let held: ActionId
let after: ActionId
let waiting: ActionId
let blind: ActionId
let unknown: ActionId
let neighbour: ActionId

beforeAll(async () => {
  w = await startWorld({
    rules,
    extra: {
      'tenants/acme/roles.yaml': role('ops', 'read, approve'),
      'tenants/_platform/roles.yaml': role('boss', 'read, write, approve'),
      'tenants/beta/roles.yaml': role('ops', 'read, approve'),
      'tenants/beta/policies/things.yaml': policy('things', ...rules),
    },
  })
  await setSecret(w.engine, 'acme', 'shop', Buffer.from('secret-of-acme'))
  w.engine.write({ 'tenants/_platform/policy.yaml': policy('config', allowAll, heldParameters) })
  await w.engine.apply()
  w.engine.write({ 'tenants/acme/settings.yaml': parameter('colour', 'blue') })
  expect(fates(await w.engine.apply())).toEqual({ 'acme/Parameter/colour': 'held' })

  w.provider.on('*', answers(425, {}))
  ;[held, after] = (await w.propose([
    { capability: 'thing.idempotent', args: { id: 'held' } },
    { capability: 'thing.keyed', args: { id: 'after' } },
  ])) as [ActionId, ActionId]
  ;[waiting] = (await w.propose([{ capability: 'thing.keyed', args: { id: 'waiting' } }])) as [ActionId]
  await w.executor.step()
  await w.executor.idle()
  w.provider.on('*', staysSilent)
  ;[blind, unknown] = (await w.propose([
    { capability: 'thing.blind', args: { id: 'blind' }, after: [] },
    { capability: 'thing.keyed', args: { id: 'unknown' }, after: [] },
  ])) as [ActionId, ActionId]
  await w.engine.sql(`update fibric.effect_queue set due_at = 'infinity' where action_id = $1`, [waiting])
  await w.executor.step()
  await w.executor.idle()
  ;[neighbour] = (await w.propose([{ capability: 'thing.idempotent', args: { id: 'n' } }], {
    domain: await w.domain('beta'),
  })) as [ActionId]
  await w.executor.step()
  await w.executor.idle()
}, 60_000)
afterAll(() => w.close())

const keys = () => w.engine.sql<{ tenant_id: string }>('select tenant_id from fibric.tenant_key')

describe('a tenant that is deleted', () => {
  test('leaves nothing that waits: each action ends with its receipt, and doubts are left to people', async () => {
    const { tenant_id: acme } = await w.domain()
    for (const [id, state] of [
      [held, 'held'],
      [after, 'planned'],
      [waiting, 'waiting'],
      [blind, 'manual'],
      [unknown, 'unknown'],
      [neighbour, 'held'],
    ] as const) {
      expect(await w.action(id)).toMatchObject({ state })
    }
    w.engine.write({ 'tenants/acme': null })
    const { outcomes } = await w.engine.apply({}, 20)
    expect(fates({ outcomes })).toMatchObject({ 'acme/Tenant/acme': 'applied' })

    expect(await w.action(held)).toMatchObject({ state: 'cancelled' })
    expect(await w.action(after)).toMatchObject({ state: expect.stringMatching(/^(?:cancelled|skipped)$/) })
    expect(await w.action(waiting)).toMatchObject({ state: 'cancelled' })
    for (const id of [blind, unknown]) expect(await w.action(id)).toMatchObject({ state: 'manual' })
    expect(await w.action(neighbour)).toMatchObject({ state: 'held' })
    const receipts = await w.receipts()
    for (const id of [held, after, waiting]) {
      expect(receipts.filter(({ action_id }) => action_id === id)).toMatchObject([
        { outcome: (await w.action(id)).state, tenant_id: acme },
      ])
    }
    expect(receipts.find(({ action_id }) => action_id === held)!.cause).toMatch(/its tenant was deleted$/)
    const changes = await w.engine.sql(
      `select state from fibric.action where entity_key = 'acme/Parameter/colour' and effect is null`,
    )
    expect(changes).toEqual([{ state: 'superseded' }])
  })

  test('keeps its doubts in sight of whoever administers the platform, and of nobody else', async () => {
    const listed = await listActions(w.engine, null, 'manual')
    expect(listed.map(({ action_id }) => action_id).toSorted()).toEqual([blind, unknown].toSorted())
    const asked = listed.find(({ action_id }) => action_id === unknown)
    expect(asked).toMatchObject({ tenant: 'acme', cause: expect.stringMatching(/its tenant was deleted$/) })
    expect((await trace(w.engine, blind)).actions).toHaveLength(1)
    const { tenant_id: beta } = await w.domain('beta')
    const neighbours = { ...w.engine, actor: { ...w.engine.actor, tenantId: beta } }
    expect(await listActions(neighbours, null, 'manual')).toEqual([])
    await expect(controlAction(neighbours, blind, 'applied', 'mine now')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('keeps its key until the last doubt is resolved', async () => {
    const { person } = w.engine.actor
    expect(await keys()).toHaveLength(1)
    expect(await offBoardDeleted(w.engine, person)).toEqual([])
    await controlAction(w.engine, blind, 'applied', 'seen at the provider')
    expect(await offBoardDeleted(w.engine, person)).toEqual([])
    await controlAction(w.engine, unknown, 'failed', 'not in its log')
    expect(await w.action(unknown)).toMatchObject({ state: 'failed', receipt_id: expect.any(String) })
    expect(await offBoardDeleted(w.engine, person)).toHaveLength(1)
    expect(await keys()).toEqual([])
    expect(await listActions(w.engine, null, null)).toMatchObject([{ action_id: neighbour }])
  })
})
