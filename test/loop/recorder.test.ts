import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Executor } from '../../controller/executor/effects/executor.ts'
import { type EndedRun, Recorder } from '../../controller/loop/recorder.ts'
import { operatorsOf } from '../../controller/operations/operators.ts'
import { startWorld, type World } from '../executor/effects/world.ts'

const keeper = `apiVersion: fibric.io/v1
kind: Operator
metadata: {name: keeper}
spec:
  trigger: {on: [thing.seen]}
  capabilities: [thing.keyed]
  reason: {rules: [{when: "true", propose: [{capability: thing.keyed, args: {id: "\${event.payload.id}"}}]}]}
`

let w: World
beforeAll(async () => {
  w = await startWorld({
    extra: { 'tenants/acme/operators/keeper.yaml': keeper, 'tenants/beta/operators/keeper.yaml': keeper },
  })
})
afterAll(() => w.close())

let made = 0
async function ended(slug: 'acme' | 'beta', things?: readonly string[]): Promise<EndedRun> {
  const [operator] = await operatorsOf(w.engine, slug)
  const id = `r${++made}`
  const proposals = (things ?? [id]).map((thing) => ({ capability: 'thing.keyed', args: { id: thing }, after: [] }))
  const plan = await w.draft(proposals, { domain: operator!.domain })
  const occasion = { deliveryId: `ev_${id}`, event: null, key: id, correlationId: `co_${id}`, depth: 0 }
  return { operator: operator!, occasion, runId: `run_${id}`, deaths: 0, result: { kind: 'proposed', plan } }
}

/** An executor whose queue has work of acme, and that says nothing of itself until somebody does. */
function busyWith(executor: Executor, acme: string, onWait: () => void): Executor {
  let tell = (): void => {}
  return {
    freePlaces: 8,
    isEnding: false,
    mayHandOver: (tenant: string) => tenant !== acme,
    untilChanged: (ms: number) => {
      const told = new Promise<void>((resolve) => {
        tell = resolve
        setTimeout(resolve, ms)
      })
      onWait()
      return told
    },
    noteChange: () => tell(),
    noteQueued: () => executor.noteQueued(),
    handOver: (...given: Parameters<Executor['handOver']>) => executor.handOver(...given),
    start: (...given: Parameters<Executor['start']>) => executor.start(...given),
    drop: (...given: Parameters<Executor['drop']>) => executor.drop(...given),
  } as unknown as Executor
}

test('a run whose tenant has work in the queue waits a while for it, and nobody else’s run waits with it', async () => {
  const [mine, others] = [await ended('acme'), await ended('beta')]
  const order: string[] = []
  let other: Promise<unknown> | null = null
  const executor = busyWith(w.executor, mine.operator.domain.tenant_id, () => {
    other ??= recorder.record(others).then(() => order.push('beta'))
  })
  const recorder: Recorder = new Recorder(w.engine.database, w.engine.clock, executor, 2000)
  await recorder.record(mine).then(() => order.push('acme'))
  await other
  await w.executor.idle()
  expect(order).toEqual(['beta', 'acme'])
  const states = await w.engine.sql<{ entity_key: string; state: string }>(
    `select entity_key, state from fibric.action where effect is not null order by entity_key`,
  )
  // What waited long enough went to the queue.
  expect(states).toEqual([
    { entity_key: `thing:${mine.occasion.key}`, state: 'planned' },
    { entity_key: `thing:${others.occasion.key}`, state: 'applied' },
  ])
})

test('a run does not pass an earlier one of its tenant that goes to the queue in the same record', async () => {
  const executor = { ...busyWith(w.executor, 'nobody', () => {}), freePlaces: 1 } as Executor
  const recorder = new Recorder(w.engine.database, w.engine.clock, executor, 0)
  const first = await ended('acme', ['big-one', 'big-two'])
  const second = await ended('acme', ['big-one'])
  await Promise.all([recorder.record(first), recorder.record(second)])
  await w.executor.idle()
  const states = await w.engine.sql(`select state from fibric.action where entity_key like 'thing:big-%'`)
  expect(states).toEqual(Array(3).fill({ state: 'planned' }))
})

test('without an executor beside it everything goes to the queue', async () => {
  const recorder = new Recorder(w.engine.database, w.engine.clock, null)
  const run = await ended('acme')
  expect(await recorder.record(run)).toBe(true)
  expect(await recorder.record(run)).toBe(false)
  const queued = await w.engine.sql(`select from fibric.effect_queue where entity_key = $1`, [
    `thing:${run.occasion.key}`,
  ])
  expect(queued).toHaveLength(1)
})
