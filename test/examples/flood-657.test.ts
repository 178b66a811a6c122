import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Pager, startPager } from '../../examples/flood-657/pager.ts'
import { type Entry, type Example, goldenOf, startExample, until, untrueIn } from './world.ts'

// A flood: one alarm, raised 657 times, each time as an event of its own. What counts is what the pager was asked to do.

const apiKey = 'pager-key-of-plant-12'
const floodSize = 657

let pager: Pager
let example: Example
beforeAll(async () => {
  pager = await startPager({ port: 0, apiKey })
  example = await startExample('flood-657', { replace: { '4382': String(pager.port) } })
  await example.fibric('secrets set pager-main --tenant plant', { stdin: apiKey })
})
afterAll(async () => {
  await example?.close()
  await pager?.close()
})

test('657 identical proposals are one message and 656 receipts that say so', async () => {
  const key = await example.key('plant', 'ingest')
  // All but the last at once; the last one, alone, is the one whose story is told.
  const numbers = Array.from({ length: floodSize - 1 }, (_, number) => number)
  const raise = async (number: number, code: string): Promise<number> => {
    const payload = { machine: 'boiler-3', code, severity: 'high' }
    const headers = { 'idempotency-key': `${code}-${number}` }
    const body = { source: 'scada', event_type: 'alarm.raised', payload }
    return (await example.send('POST', '/v1/events', { key, headers, body })).status
  }
  const sender = async (): Promise<void> => {
    for (let number = numbers.pop(); number !== undefined; number = numbers.pop()) {
      expect(await raise(number, 'E42')).toBe(202)
    }
  }
  await Promise.all(Array.from({ length: 16 }, sender))

  const ended = (count: number) =>
    until(
      () => example.receipts('plant'),
      (list) => list.length >= count,
    )
  await ended(floodSize - 1)
  expect(await raise(floodSize, 'E42')).toBe(202)
  const receipts = await ended(floodSize)
  expect(pager.messages()).toEqual(['maintenance: boiler-3 raised E42'])
  expect(pager.requests()).toBe(1)
  const outcomes = Map.groupBy(receipts, ({ body }) => String(body.outcome))
  expect([...outcomes].map(([outcome, list]) => [outcome, list.length]).sort()).toEqual([
    ['applied', 1],
    ['deduplicated', floodSize - 1],
  ])
  const [applied] = outcomes.get('applied')!
  expect(new Set(outcomes.get('deduplicated')!.map(cited))).toEqual(
    new Set([`its key is \`${applied!.body.action_id}\`'s`]),
  )

  expect(await raise(1, 'E7')).toBe(202)
  await until(pager.messages, (messages) => messages.length === 2)
  expect(pager.messages()[1]).toBe('maintenance: boiler-3 raised E7')

  await ended(floodSize + 1)
  await example.fibric('receipts list --tenant plant --limit 2')
  await example.fibric(`trace ${String(receipts.at(-1)!.body.action_id)}`)
})

/** What a receipt names as the one it is the same as. */
function cited({ body }: Entry): unknown {
  return body.cause
}

test('the README shows what happens', async () => {
  await expect(example.transcript()).toMatchFileSnapshot(goldenOf('flood-657'))
  expect(untrueIn('flood-657', example.transcript())).toEqual([])
})
