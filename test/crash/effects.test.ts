import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Runner } from '../../controller/loop/deliveries.ts'
import { Recorder } from '../../controller/loop/recorder.ts'
import { operatorsOf } from '../../controller/operations/operators.ts'
import { startWorld, type World } from '../executor/effects/world.ts'
import type { EffectOrders } from './effects-child.ts'
import { provideTruly } from './true-provider.ts'
import { temporaryFolder } from './world.ts'

const { folder, remove } = temporaryFolder()
const operators = `apiVersion: fibric.io/v1
kind: Operator
metadata: {name: keeper}
spec:
  trigger: {on: [thing.seen]}
  capabilities: [thing.read, thing.keyed, thing.blind, thing.idempotent, thing.ask, thing.match]
  sense: [{as: thing, capability: thing.read, args: {id: "\${event.payload.id}"}}]
  reason:
    rules:
      - when: "true"
        propose:
          - {capability: thing.keyed, args: {id: "\${event.payload.id}-keyed"}, key: once, within: 24h}
      - when: "true"
        propose:
          - {capability: thing.idempotent, args: {id: "\${event.payload.id}-idempotent"}}
          - {capability: thing.ask, args: {id: "\${event.payload.id}-ask"}}
          - {capability: thing.match, args: {id: "\${event.payload.id}-match"}}
---
apiVersion: fibric.io/v1
kind: Operator
metadata: {name: bold}
spec:
  trigger: {on: [thing.seen]}
  capabilities: [thing.blind]
  reason: {rules: [{when: "true", propose: [{capability: thing.blind, args: {id: "\${event.payload.id}-blind"}}]}]}
`

let w: World
beforeAll(async () => {
  w = await startWorld({ extra: { 'tenants/acme/operators.yaml': operators } })
  // Children keep real time.
  Object.defineProperty(w.engine.time, 'now', { get: () => Date.now() })
})
afterAll(async () => {
  await w.close()
  remove()
})

async function child(
  id: string,
  kill: number,
  handsOver: boolean,
): Promise<{ signal: string | null; reached: number; stderr: string }> {
  const orders: EffectOrders = { config: { ...w.engine.config, rootKeyText: rootKeyText }, id, kill, handsOver }
  const process_ = spawn(process.execPath, [join(import.meta.dirname, 'effects-child.ts'), JSON.stringify(orders)], {
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: folder },
  })
  let stdout = ''
  let stderr = ''
  process_.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  process_.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const signal = await new Promise<string | null>((resolve) => process_.once('close', (_code, by) => resolve(by)))
  return { signal, reached: Number(stdout), stderr }
}

const rootKeyText = Buffer.alloc(32, 'fibric test root key').toString('hex')

/** What a controller that comes up after a crash does: the same delivery again, and the executor over what is there. */
async function afterwards(id: string): Promise<void> {
  const { database, clock } = w.engine
  const operators = await operatorsOf(w.engine, 'acme')
  const runner = new Runner(
    { connector: w.connector, clock, signal: new AbortController().signal },
    database,
    new Recorder(database, clock, null),
  )
  const event = {
    event_id: `ev_${id}`,
    reseller_id: null,
    tenant_id: operators[0]!.domain.tenant_id,
    workspace_id: null,
    source: 'shop',
    event_type: 'thing.seen',
    correlation_id: `co_${id}`,
    payload: { id },
    agent_id: null,
    session_id: null,
  }
  const occasion = {
    deliveryId: event.event_id,
    event,
    key: event.event_id,
    correlationId: event.correlation_id,
    depth: 0,
  }
  for (const operator of operators) await runner.run(operator, occasion)
  // The dead process's leases run out.
  for (let round = 0; round < 3; round++) {
    await w.hurry()
    await w.finish()
  }
}

describe('killed between any two durable statements, and taken up again', () => {
  test.each([
    { name: 'a provider that answers', lies: false, handsOver: true },
    { name: 'a provider that does the work and hangs up', lies: true, handsOver: true },
    { name: 'a provider that hangs up, taken from the queue,', lies: true, handsOver: false },
  ])('no effect of $name is doubled, and every action has one receipt or is in doubt', async ({ lies, handsOver }) => {
    const { effects } = provideTruly(w.provider, { lies: (first) => lies && first, delayMs: () => 0 })
    const dry = await child(`dry${lies}${handsOver}`, 0, handsOver)
    expect(dry.stderr).toBe('')
    expect(dry.reached).toBeGreaterThan(20)
    const faults: string[] = []
    for (let kill = 1; kill <= dry.reached; kill++) {
      const id = `k${lies ? 'l' : 'a'}${handsOver ? 'h' : 'q'}${kill}`
      const ended = await child(id, kill, handsOver)
      if (ended.signal !== 'SIGKILL' && Number.isNaN(ended.reached)) faults.push(`${id}: ${ended.stderr}`)
      await afterwards(id)
      faults.push(...(await findFaults(id, effects)))
    }
    process.stdout.write(
      `effects, ${lies ? 'lying' : 'answering'} provider${handsOver ? '' : ', from the queue'}: ${dry.reached} points\n`,
    )
    expect(faults).toEqual([])
    expect(w.failures).toEqual([])
  })
})

async function findFaults(id: string, effects: ReadonlyMap<string, number>): Promise<string[]> {
  const faults: string[] = []
  const actions = await w.engine.sql<{ action_id: string; state: string; entity_key: string; receipts: number }>(
    `select a.action_id, a.state, a.entity_key,
            (select count(*) from fibric.ledger_entry e where e.kind = 'receipt'
               and position(convert_to('"action_id":"' || a.action_id || '"', 'UTF8') in e.bytes) > 0)::integer as receipts
       from fibric.action a where a.entity_key like $1`,
    [`thing:${id}-%`],
  )
  if (actions.length !== 5) faults.push(`${id}: ${actions.length} actions of 5`)
  for (const { state, entity_key, receipts } of actions) {
    const happened = effects.get(`/api/things/${entity_key.slice('thing:'.length)}`) ?? 0
    const ended = ['applied', 'failed', 'skipped'].includes(state)
    if (happened > 1) faults.push(`${entity_key}: happened ${happened} times`)
    if (receipts !== (ended ? 1 : 0)) faults.push(`${entity_key}: ${state} with ${receipts} receipts`)
    if (state === 'applied' && happened !== 1) faults.push(`${entity_key}: applied, and happened ${happened} times`)
    // What follows a doubt waits for a person.
    if (!ended && state !== 'manual' && state !== 'planned') faults.push(`${entity_key}: left ${state}`)
    if (state === 'planned' && !actions.some((each) => each.state === 'manual'))
      faults.push(`${entity_key}: left planned`)
  }
  const left = await w.engine.sql('select from fibric.lease where until is not null')
  if (left.length > 0) faults.push(`${id}: ${left.length} leases left`)
  return faults
}
