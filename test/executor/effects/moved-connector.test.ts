import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { answers, hangsUp } from '../../support/provider.ts'
import { connectionYaml, connectorYaml, startWorld, type World } from './world.ts'

let w: World
let made = 0
beforeAll(async () => {
  w = await startWorld()
})
beforeEach(async () => {
  w.provider.on('*', answers(200, { ok: true }))
  await install('1.0.0', (yaml) => yaml)
})
afterEach(() => {
  expect(w.failures).toEqual([])
  w.provider.forget()
})
afterAll(() => w.close())

/** Puts another version of the connector in force, and the connection of acme on it. */
async function install(version: string, change: (yaml: string) => string): Promise<void> {
  const yaml = change(connectorYaml).replace('version: 1.0.0', `version: ${version}`)
  w.engine.write({
    [`tenants/_platform/connectors/lab-${version}.yaml`]: version === '1.0.0' ? null : yaml,
    'tenants/acme/connections/main.yaml': connectionYaml(w.provider.port, version),
  })
  await w.engine.apply()
}

const paths = () => w.provider.received.map(({ path }) => path)
const proposed = async (capability: string) => {
  const id = `m${++made}`
  const [action] = await w.propose([{ capability, args: { id } }])
  return { id, action: action! }
}
const elsewhere = (yaml: string): string => yaml.replace('/api"', '/api2"')

test('what is sent first is what is in force then, and the receipt says so', async () => {
  const { id, action } = await proposed('thing.keyed')
  const [before] = await w.engine.sql<{ effect: { requestDigest: string; connectorDigest: string } }>(
    'select effect from fibric.action where action_id = $1',
    [action],
  )
  await install('1.0.1', elsewhere)
  await w.finish()
  expect(paths()).toEqual([`/api2/things/${id}`])
  const [receipt] = (await w.receipts()).filter(({ action_id }) => action_id === action)
  const [after] = await w.engine.sql<{ effect: { requestDigest: string; connectorDigest: string } }>(
    'select effect from fibric.action where action_id = $1',
    [action],
  )
  expect(receipt).toMatchObject({
    outcome: 'applied',
    request_digest: after!.effect.requestDigest,
    source: { connector: '_platform/Connector/lab@1.0.1', connector_digest: after!.effect.connectorDigest },
  })
  expect(after!.effect.requestDigest).not.toBe(before!.effect.requestDigest)
})

test('what is sent again is what was sent first, whatever is in force by then', async () => {
  const { id, action } = await proposed('thing.idempotent')
  await install('1.0.2', elsewhere)
  w.provider.on('*', hangsUp)
  // Once to note what is in force, once to send it.
  for (let round = 0; round < 2; round++) {
    await w.executor.step()
    await w.executor.idle()
  }
  expect((await w.action(action)).state).toBe('unknown')
  await install('1.0.0', (yaml) => yaml)
  w.provider.on('*', answers(200, { ok: true }))
  await w.finish()
  expect((await w.action(action)).state).toBe('applied')
  expect(paths()).toEqual([`/api2/things/${id}`, `/api2/things/${id}`])
})

test('a tool that became blind before it was used is never sent a second time', async () => {
  const { id, action } = await proposed('thing.idempotent')
  await install('1.0.3', (yaml) => yaml.replace('effect: idempotent', 'effect: blind'))
  w.provider.on('*', hangsUp)
  await w.finish()
  expect((await w.action(action)).state).toBe('manual')
  expect(paths()).toEqual([`/api/things/${id}`])
})
