import { afterEach, expect, test } from 'vitest'
import { fates, summary, type TestEngine, testEngine } from '../support/engine.ts'
import { docs, governed, open, parameter, role, user } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

const settings = 'tenants/acme/settings.yaml'
const named = (name: string, previously: string | null, value = 1): string =>
  parameter(name, value, previously === null ? '' : `previously: ${previously}`)

interface Row {
  readonly address: string
  readonly object_id: string
  readonly generation: number
  readonly digest: string | null
}

const rows = (): Promise<Row[]> =>
  engine.sql<Row>(
    `select address, object_id, generation, digest from fibric.object where address like 'acme/Parameter/%' order by address`,
  )

const live = async (): Promise<Row[]> => (await rows()).filter((row) => row.digest !== null)

async function start(content: string): Promise<Row> {
  engine = await testEngine({ ...open, [settings]: content })
  await engine.apply()
  return (await live())[0]!
}

async function become(content: string): Promise<string[]> {
  engine.write({ [settings]: content })
  const planned = summary(await engine.plan())
  await engine.apply()
  expect(summary(await engine.plan())).toEqual([])
  return planned
}

test('a rename is one update: the id stays, the generation goes on, the old address becomes a tombstone', async () => {
  const before = await start(named('a', null))
  expect(await become(named('b', 'a'))).toEqual(['> acme/Parameter/a acme/Parameter/b'])
  expect(await rows()).toEqual([
    { address: 'acme/Parameter/a', object_id: expect.anything(), generation: 2, digest: null },
    { address: 'acme/Parameter/b', object_id: before.object_id, generation: 2, digest: expect.anything() },
  ])
})

test('a rename that edits too is one change, and `previously` is no part of the content', async () => {
  const before = await start(named('a', null))
  expect(await become(named('b', 'a', 2))).toEqual(['> acme/Parameter/a acme/Parameter/b'])
  expect((await live())[0]).toMatchObject({ object_id: before.object_id, generation: 2 })
  expect(await become(named('b', null, 2))).toEqual([])
})

test('`previously` is ignored once it was followed, and where the old address never was', async () => {
  await start(named('a', null))
  await become(named('b', 'a'))
  expect(await become(named('b', 'a'))).toEqual([])
  expect(await become(docs(named('b', null), named('a', null)))).toEqual(['+ acme/Parameter/a'])
  expect(await become(docs(named('b', null), named('a', null), named('c', 'zzz')))).toEqual(['+ acme/Parameter/c'])
})

test('a chain of renames keeps one id and one count', async () => {
  const before = await start(named('a', null))
  await become(named('b', 'a'))
  expect(await become(named('c', 'b'))).toEqual(['> acme/Parameter/b acme/Parameter/c'])
  expect(await live()).toEqual([
    { address: 'acme/Parameter/c', object_id: before.object_id, generation: 3, digest: expect.anything() },
  ])
})

test('two objects that move one place each in one commit keep their ids', async () => {
  await start(docs(named('a', null, 1), named('b', null, 2)))
  const [a, b] = await live()
  await become(docs(named('b2', 'b', 2), named('a2', 'a', 1)))
  expect((await live()).map((row) => [row.address, row.object_id])).toEqual([
    ['acme/Parameter/a2', a!.object_id],
    ['acme/Parameter/b2', b!.object_id],
  ])
})

test('renaming back over the tombstone keeps the id and never repeats a generation', async () => {
  const before = await start(named('a', null))
  await become(named('b', 'a'))
  expect(await become(named('a', 'b'))).toEqual(['> acme/Parameter/b acme/Parameter/a'])
  expect(await live()).toEqual([
    { address: 'acme/Parameter/a', object_id: before.object_id, generation: 3, digest: before.digest },
  ])
  await become(named('b', 'a'))
  await become(named('a', 'b'))
  expect((await live())[0]).toMatchObject({ object_id: before.object_id, generation: 5 })
})

test('a new object at an address that was renamed away goes on counting, with an id of its own', async () => {
  const before = await start(named('a', null))
  await become(named('b', 'a'))
  await become(docs(named('a', null), named('b', null)))
  const [a, b] = await live()
  expect(a).toMatchObject({ address: 'acme/Parameter/a', generation: 3 })
  expect(a!.object_id).not.toBe(before.object_id)
  expect(b!.object_id).toBe(before.object_id)
})

test('references move in the same commit, and validation says where one was forgotten', async () => {
  engine = await testEngine({ ...open, [settings]: docs(role('clerk'), user('eve', 'clerk')) })
  await engine.apply()
  const renamed = role('teller').replace('name: teller', 'name: teller, previously: clerk')
  engine.write({ [settings]: docs(renamed, user('eve', 'clerk')) })
  await expect(engine.apply()).rejects.toMatchObject({ code: 'INVALID_CONFIGURATION', exitCode: 5 })
  expect(await become(docs(renamed, user('eve', 'teller')))).toEqual([
    '> acme/Role/clerk acme/Role/teller',
    '~ acme/User/eve',
  ])
})

test('a rename that grants more is held as such, and the old address stands until it is approved', async () => {
  engine = await testEngine({ ...governed, 'tenants/acme/role.yaml': role('clerk') })
  await engine.apply()
  engine.write({
    'tenants/acme/role.yaml': role('teller', 'read, write').replace('name: teller', 'name: teller, previously: clerk'),
  })
  expect(fates(await engine.apply())).toEqual({ 'acme/Role/teller': 'held' })
  const found = await engine.sql<{ address: string }>(
    `select address from fibric.object where address like 'acme/Role/%' and digest is not null`,
  )
  expect(found.map(({ address }) => address)).toEqual(['acme/Role/clerk'])
})
