/**
 * A process that runs operators over an event and carries out what it proposes, to be killed while it does:
 * `node effects-child.ts ORDERS`. Prints how many points it reached when nobody kills it.
 */
import { randomBytes } from 'node:crypto'
import type { Config } from '../../controller/config.ts'
import { mintId } from '../../controller/domain/ids.ts'
import { openEngine } from '../../controller/engine.ts'
import { Executor } from '../../controller/executor/effects/executor.ts'
import { sequenceLedgers } from '../../controller/ledger/sequence.ts'
import { Runner } from '../../controller/loop/deliveries.ts'
import { Recorder } from '../../controller/loop/recorder.ts'
import { connectorsOf } from '../../controller/operations/connections.ts'
import { operatorsOf } from '../../controller/operations/operators.ts'
import { withFailpoints } from './failpoints.ts'

export interface EffectOrders {
  readonly config: Config
  /** Names this run: its event and its things. */
  readonly id: string
  /** The how many-th point kills; 0: none. */
  readonly kill: number
  /** Whether what the operator proposes is taken on with its record, or from the queue. */
  readonly handsOver: boolean
}

if (process.argv[1] === import.meta.filename) await work(JSON.parse(process.argv[2]!) as EffectOrders)

async function work({ config, id, kill, handsOver }: EffectOrders): Promise<void> {
  let reached = 0
  const engine = await openEngine(config, {
    around: (database) =>
      withFailpoints(database, async () => {
        if (++reached === kill) process.kill(process.pid, 'SIGKILL')
      }),
  })
  reached = 0
  const connector = connectorsOf(engine)
  const executor = new Executor({
    database: engine.database,
    connector,
    clock: engine.clock,
    settings: { backoffMs: () => 0, idleMs: 5, lookMs: 60_000 },
  })
  // One that has looked at the queue takes on what it is handed.
  await executor.step()
  const recorder = new Recorder(engine.database, engine.clock, handsOver ? executor : null)
  const signal = new AbortController().signal
  const runner = new Runner({ connector, clock: engine.clock, signal }, engine.database, recorder)
  const operators = await operatorsOf(engine, 'acme')
  const event = {
    event_id: `ev_${id}`,
    reseller_id: null,
    tenant_id: operators[0]!.domain.tenant_id,
    workspace_id: null,
    source: 'shop',
    event_type: 'thing.seen',
    correlation_id: mintId('correlation', Date.now(), randomBytes(10)),
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
  // What was not done or is in doubt is due again at once.
  for (let round = 0; round < 4; round++) await executor.drain()
  await sequenceLedgers(engine.database, engine.clock().toISOString())
  process.stdout.write(`${reached}\n`)
  await engine.close('leave')
}
