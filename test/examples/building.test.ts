import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bms, startBms } from '../../examples/building/bms.ts'
import { type Entry, type Example, goldenOf, startExample, until, untrueIn } from './world.ts'

// A gateway tells what zones measure, an operator proposes setpoints, and rules keep them sane. What counts is what the
// building was told.

const apiKey = 'key-of-the-building'
const week = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

let bms: Bms
let example: Example
let gatewayKey: string
beforeAll(async () => {
  bms = await startBms({ port: 0, apiKey })
  // The server room's hours, moved to a day that is neither today nor tomorrow anywhere.
  const otherDay = week[(new Date().getUTCDay() + 3) % 7]!
  example = await startExample('building', {
    replace: { '4384': String(bms.port), 'days: [mon, tue, wed, thu, fri]': `days: [${otherDay}]` },
  })
  await example.fibric('secrets set bms-main --tenant tower', { stdin: apiKey })
  gatewayKey = await example.key('tower', 'ingest')
})
afterAll(async () => {
  await example?.close()
  await bms?.close()
})

function measured(readings: { readonly [zone: string]: number }, eventType = 'zone.measured') {
  const events = Object.entries(readings).map(([zone, celsius]) => ({
    event_type: eventType,
    payload: { zone, celsius },
  }))
  return example.send('POST', '/v1/gateways/bacnet-gw-7/events', { key: gatewayKey, body: { events } })
}

const receipts = (count: number): Promise<Entry[]> =>
  until(
    () => example.receipts('tower'),
    (list) => list.length >= count,
  )

const told = ({ body }: Entry): string => `${body.entity_key} ${body.outcome}`

test('a warm zone is turned down, and a sensor in the sun moves nothing', async () => {
  const sent = await measured({ '3-01': 27, '3-02': 21.5 })
  expect([sent.status, sent.json.data.length]).toEqual([202, 2])
  await receipts(1)
  await measured({ '3-03': 45 })
  expect((await receipts(2)).map(told)).toEqual(['zone:3-01 applied', 'zone:3-03 blocked'])
  expect(bms.changes()).toEqual(['3-01 20.75'])
  await example.fibric('receipts list --tenant tower --limit 2')
  const blocked = (await receipts(2)).find(({ body }) => body.outcome === 'blocked')!
  await example.fibric(`trace ${String(blocked.body.action_id)}`)
})

test('a zone is changed twice an hour at most, whatever it measures', async () => {
  await measured({ '3-01': 27 })
  await receipts(3)
  await measured({ '3-01': 27 })
  expect((await receipts(4)).slice(2).map(told)).toEqual(['zone:3-01 applied', 'zone:3-01 blocked'])
  expect(bms.setpoints()['3-01']).toBe(19.1875)
  expect(bms.changes()).toHaveLength(2)
})

test('whether it may is asked without anything happening', async () => {
  const changes = bms.changes()
  const args = JSON.stringify({ zone: '3-02', celsius: 30 })
  await example.fibric(`can comfort setpoint.write --tenant tower --args ${args}`, { exit: 3 })
  expect(bms.changes()).toEqual(changes)
})

test('the server room is left alone outside its hours', async () => {
  await measured({ 'server-room': 25 })
  const last = (await receipts(5)).at(-1)!
  expect(told(last)).toBe('zone:server-room blocked')
  expect(JSON.stringify(last.body.verdict)).toContain('server-room-hours')
  expect(bms.setpoints()['server-room']).toBe(22)
})

test('a gateway sends what its document lists, or nothing of the batch', async () => {
  expect((await measured({ '3-02': 30 }, 'door.opened')).status).toBe(403)
  const other = await example.send('POST', '/v1/gateways/bacnet-gw-8/events', { key: gatewayKey, body: { events: [] } })
  expect([400, 404]).toContain(other.status)
  expect(await example.json<{ data: unknown[] }>('events list --tenant tower')).toMatchObject({ data: { length: 6 } })
})

test('the README shows what happens', async () => {
  await expect(example.transcript()).toMatchFileSnapshot(goldenOf('building'))
  expect(untrueIn('building', example.transcript())).toEqual([])
})
