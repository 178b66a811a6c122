import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { renderActions } from '../../../cli/views/actions.ts'
import { controlAction, listActions } from '../../../controller/operations/actions.ts'
import { effectJson } from '../../../controller/operations/effect-objects.ts'
import { listStops, start, stop } from '../../../controller/operations/stops.ts'
import { whyWaiting } from '../../../controller/operations/waiting.ts'
import type { DomainRow } from '../../../controller/store/domains.ts'
import { policy, role, tenant } from '../../operations/repositories.ts'
import { answers, hangsUp } from '../../support/provider.ts'
import { startWorld, type World } from './world.ts'

let w: World
beforeAll(async () => {
  w = await startWorld({
    rules: [
      '{id: things, match: {capability: "thing.*"}, decision: ALLOW}',
      '{id: large, match: {capability: thing.keyed, value: {gt: 100}}, decision: ALERT, alert: {mode: hold, approvers: {role: finance}, expiresIn: 1h}}',
    ],
    extra: { 'tenants/acme/roles.yaml': role('finance', 'read, approve') },
  })
})
beforeEach(async () => {
  await w.engine.sql('delete from fibric.effect_queue')
  w.provider.forget()
  w.provider.on('*', answers(200, { ok: true }))
})
afterAll(() => w.close())

let domain: DomainRow
beforeAll(async () => {
  domain = await w.domain('beta')
})
const beta = () => ({ domain })

async function become(state: string): Promise<void> {
  w.engine.write({ 'tenants/beta/tenant.yaml': tenant('beta', `, state: ${state}`) })
  await w.engine.apply()
}

const why = async (id: string): Promise<string> => (await whyWaiting(w.engine, id)).join('\n')

test('an action that nobody works on says what keeps it: its plan, its entity, a person, a stop, or its provider', async () => {
  w.provider.on('/api/things/doubt', hangsUp)
  const [doubt, after] = await w.propose([
    { capability: 'thing.blind', args: { id: 'doubt' } },
    { capability: 'thing.idempotent', args: { id: 'after' } },
  ])
  const [behind] = await w.propose([{ capability: 'thing.idempotent', args: { id: 'doubt' } }])
  await w.finish()
  expect(await why(doubt!)).toMatch(/is in doubt, and a person decides: .*fibric actions resolve act_\w+ --happened/)
  expect(await why(after!)).toBe(
    `thing.idempotent (${after}) waits for thing.blind (${doubt}), which is manual: fibric why-waiting ${doubt}`,
  )
  expect(await why(behind!)).toBe(
    `thing.idempotent (${behind}) waits for its entity \`thing:doubt\`, which ${doubt} keeps, being manual: fibric why-waiting ${doubt}`,
  )
  expect((await why('thing:doubt')).split('\n')).toHaveLength(2)
  w.provider.on('/api/things/doubt', answers(200, { ok: true }))
  await controlAction(w.engine, doubt!, 'failed', 'not there')
  await w.finish()
  expect(await why(after!)).toBe('')
  expect(await w.action(after!)).toMatchObject({ state: 'skipped', cause: `\`${doubt}\` ended failed` })
  expect(await w.action(behind!)).toMatchObject({ state: 'applied' })

  await stop(w.engine, 'acme', { scope: 'capability', name: 'thing.ide*' }, 'incident')
  const [stopped] = await w.propose([{ capability: 'thing.idempotent', args: { id: 'stopped' } }])
  await w.executor.drain()
  expect(await why(stopped!)).toMatch(/ is stopped by local:test \(incident\) until: fibric start/)
  expect(await why('acme/Connection/main')).toContain(stopped!)
  const planned = async () =>
    (await listActions(w.engine, 'acme', 'planned')).filter(({ action_id: id }) => id === stopped)
  const listed = await planned()
  expect(listed).toMatchObject([{ stopped: { person: 'local:test', reason: 'incident' } }])
  expect(renderActions(listed.map(effectJson))).toContain('stopped by local:test (incident)')
  await start(w.engine, 'acme', { scope: 'capability', name: 'thing.ide*' }, 'over')
  expect(await planned()).toMatchObject([{ stopped: null }])
  await w.finish()

  const byAddress = { scope: 'operator', name: 'acme/Operator/keeper' } as const
  await stop(w.engine, 'acme', byAddress, 'incident')
  expect((await listStops(w.engine, 'acme')).map(({ name }) => name)).toEqual(['keeper'])
  await start(w.engine, 'acme', byAddress, 'over')

  w.provider.on('*', answers(425, {}))
  const [waiting] = await w.propose([{ capability: 'thing.idempotent', args: { id: 'waits' } }])
  await w.executor.step()
  await w.executor.idle()
  expect(await why(waiting!)).toMatch(/was not done \(HTTP 425\) and is tried again at /)
  await w.engine.sql(`update fibric.breaker set open_until = now() + interval '1 h'`)
  expect(await why(waiting!)).toMatch(/its connection was not done several times in a row \(HTTP 425\)/)
  await w.engine.sql('delete from fibric.breaker')
})

test('what is held in a chain holds what comes after it, and what ends otherwise ends it skipped', async () => {
  const ids = await w.propose([
    { capability: 'thing.keyed', args: { id: 'c0', amount: 500, currency: 'EUR' } },
    { capability: 'thing.idempotent', args: { id: 'c1' } },
    { capability: 'thing.idempotent', args: { id: 'c2' }, after: [0] },
    { capability: 'thing.idempotent', args: { id: 'c3' }, after: [] },
    { capability: 'thing.idempotent', args: { id: 'c4' }, after: [2, 3] },
  ])
  await w.finish()
  const states = () => Promise.all(ids.map(async (id) => (await w.action(id)).state))
  expect(await states()).toEqual(['held', 'planned', 'planned', 'applied', 'planned'])
  expect(await why(ids[0]!)).toMatch(/waits for 1 approvals of role `finance` by rule .*fibric plans approve act_/)
  await controlAction(w.engine, ids[0]!, 'cancel', 'not wanted')
  await w.finish()
  expect(await states()).toEqual(['cancelled', 'skipped', 'skipped', 'applied', 'skipped'])
  const receipts = (await w.receipts()).filter(({ action_id }) => ids.includes(action_id as never))
  expect(receipts.map(({ outcome }) => outcome).sort()).toEqual([
    'applied',
    'cancelled',
    'skipped',
    'skipped',
    'skipped',
  ])
})

test('an action approved but not sent is blocked by a rule that came into force since', async () => {
  const [first] = await w.propose([{ capability: 'thing.keyed', args: { id: 'late', amount: 500, currency: 'EUR' } }])
  await w.finish()
  await w.engine.sql(
    `insert into fibric.approval (tenant_id, action_id, person, decision, roles, reason, signature, created_at)
     select tenant_id, action_id, 'local:test', 'approve', '[]', null, null, state_at + interval '1 ms' from fibric.action where action_id = $1`,
    [first],
  )
  w.engine.write({
    'tenants/acme/policies/freeze.yaml': policy(
      'freeze',
      '{id: freeze, match: {capability: "thing.*"}, decision: BLOCK}',
    ),
  })
  await w.engine.apply()
  await w.finish()
  expect(await w.action(first!)).toMatchObject({ state: 'blocked', attempts: 0 })
  expect(w.writes()).toBe(0)
})

test('nothing of a suspended tenant is sent, not even a second time; it goes on once the tenant is active again', async () => {
  w.provider.on('/api/things/again', hangsUp)
  const [again] = await w.propose([{ capability: 'thing.idempotent', args: { id: 'again' } }], beta())
  const patient = w.executorWith({ backoffMs: () => 60_000 })
  await patient.step()
  await patient.idle()
  await become('suspended')
  const [fresh] = await w.propose([{ capability: 'thing.idempotent', args: { id: 'fresh' } }], beta())
  w.provider.on('*', answers(200, { ok: true }))
  w.provider.on('/api/things/again', answers(200, { ok: true }))
  const sent = w.writes()
  await w.finish()
  expect(w.writes()).toBe(sent)
  expect(await w.action(again!)).toMatchObject({ state: 'unknown' })
  expect(await w.action(fresh!)).toMatchObject({ state: 'planned' })
  expect(await why(fresh!)).toMatch(/the tenant `beta` is suspended/)
  await become('active')
  await w.finish()
  expect([(await w.action(again!)).state, (await w.action(fresh!)).state]).toEqual(['applied', 'applied'])
})
