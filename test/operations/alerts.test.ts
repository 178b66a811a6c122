import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { renderAlerts } from '../../cli/views/alerts.ts'
import { acknowledgeAlert, listAlerts } from '../../controller/operations/alerts.ts'
import { alertJson } from '../../controller/operations/effect-objects.ts'
import { answerPlans } from '../../controller/operations/plans.ts'
import { readStatus } from '../../controller/operations/status.ts'
import { startWorld, type World } from '../executor/effects/world.ts'
import { answers } from '../support/provider.ts'
import { allowAll, parameter, policy, role } from './repositories.ts'

const rules = [
  '{id: things, match: {capability: "thing.*"}, decision: ALLOW}',
  '{id: tell, match: {capability: thing.keyed}, decision: ALERT, alert: {mode: notify}}',
  '{id: ask, match: {capability: thing.idempotent}, decision: ALERT, alert: {mode: hold, approvers: {role: ops}}}',
  '{id: hear, match: {capability: thing.idempotent}, decision: ALERT, alert: {mode: notify}}',
]

let w: World
beforeAll(async () => {
  w = await startWorld({ rules, extra: { 'tenants/acme/roles.yaml': role('ops', 'read, approve') } })
  w.provider.on('*', answers(200, { ok: true }))
})
afterAll(() => w.close())

const alerts = (all = false) => listAlerts(w.engine, { tenant: null, all }, null, 100)

describe('a rule that notifies', () => {
  test('lets an action run, and raises it until somebody has seen it', async () => {
    const [id] = await w.propose([{ capability: 'thing.keyed', args: { id: 'n1' } }])
    await w.finish()
    expect(await w.action(id!)).toMatchObject({ state: 'applied' })
    const [alert] = await alerts()
    expect(alert).toMatchObject({
      tenant: 'acme',
      action_id: id,
      capability: 'thing.keyed',
      entity_key: 'thing:n1',
      state: 'applied',
      policy: 'acme/TrustPolicy/things',
      rule: 'tell',
      seen_at: null,
    })
    expect(await readStatus(w.engine)).toMatchObject({ alerts: 1 })
    expect(renderAlerts([alertJson(alert!)])).toMatch(
      /thing\.keyed thing:n1 +applied +acme\/TrustPolicy\/things#tell +-/,
    )

    const seen = await acknowledgeAlert(w.engine, alert!.alert_id, 'as agreed')
    expect(seen).toMatchObject({ seen_reason: 'as agreed', seen_by: w.engine.actor.person })
    expect(await alerts()).toEqual([])
    expect(await alerts(true)).toHaveLength(1)
    expect(await readStatus(w.engine)).toMatchObject({ alerts: 0 })
    expect(await w.entries('control.alert.acknowledge')).toMatchObject([
      {
        person: w.engine.actor.person,
        details: { alert_id: alert!.alert_id, action_id: id, rule: 'tell', reason: 'as agreed' },
      },
    ])
    await expect(acknowledgeAlert(w.engine, alert!.alert_id, 'again')).rejects.toMatchObject({ code: 'STATE_CONFLICT' })
    await expect(acknowledgeAlert(w.engine, 'al_none', 'why')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('raises once, however often the action is tried', async () => {
    w.provider.on('*', answers(425, {}))
    const [id] = await w.propose([{ capability: 'thing.keyed', args: { id: 'n2' } }])
    await w.executor.step()
    await w.executor.idle()
    await w.hurry()
    await w.executor.step()
    await w.executor.idle()
    expect(await w.action(id!)).toMatchObject({ state: 'waiting', attempts: 2 })
    w.provider.on('*', answers(200, { ok: true }))
    await w.finish()
    expect((await alerts()).map(({ action_id }) => action_id)).toEqual([id])
    await acknowledgeAlert(w.engine, (await alerts())[0]!.alert_id, 'seen')
  })

  test('raises nothing of what does not run, and of what is held when it runs', async () => {
    const [id] = await w.propose([{ capability: 'thing.idempotent', args: { id: 'n3' } }])
    await w.finish()
    expect(await w.action(id!)).toMatchObject({ state: 'held' })
    expect(await alerts()).toEqual([])
    await answerPlans(w.engine, id!, 'approve', null)
    expect(await w.action(id!)).toMatchObject({ state: 'applied' })
    expect(await alerts()).toMatchObject([{ action_id: id, rule: 'hear' }])
    await acknowledgeAlert(w.engine, (await alerts())[0]!.alert_id, 'seen')
  })

  test('raises changes of configuration too', async () => {
    const notify = '{id: parameters, match: {capability: "config.parameter.*"}, decision: ALERT, alert: {mode: notify}}'
    w.engine.write({ 'tenants/_platform/policy.yaml': policy('config', allowAll, notify) })
    await w.engine.apply()
    w.engine.write({ 'tenants/acme/settings.yaml': parameter('colour', 'blue') })
    await w.engine.apply()
    expect(await alerts()).toMatchObject([
      {
        capability: 'config.parameter.create',
        entity_key: 'acme/Parameter/colour',
        rule: 'parameters',
        state: 'applied',
      },
    ])
  })
})
