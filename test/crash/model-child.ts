/**
 * A process that runs an operator a model reasons for, to be killed while it does: `node model-child.ts ORDERS`. Prints how
 * many points it reached when nobody kills it.
 */
import type { Config } from '../../controller/config.ts'
import { openEngine } from '../../controller/engine.ts'
import { Runner } from '../../controller/loop/deliveries.ts'
import { Recorder } from '../../controller/loop/recorder.ts'
import { connectorsOf } from '../../controller/operations/connections.ts'
import { modelsOf } from '../../controller/operations/model-way.ts'
import { operatorsOf } from '../../controller/operations/operators.ts'
import { withFailpoints } from './failpoints.ts'

export interface ModelOrders {
  readonly config: Config
  /** Names this run: its event and its thing. */
  readonly id: string
  /** The how many-th point kills; 0: none. */
  readonly kill: number
}

if (process.argv[1] === import.meta.filename) await work(JSON.parse(process.argv[2]!) as ModelOrders)

async function work({ config, id, kill }: ModelOrders): Promise<void> {
  let reached = 0
  const engine = await openEngine(config, {
    around: (database) =>
      withFailpoints(database, async () => {
        if (++reached === kill) process.kill(process.pid, 'SIGKILL')
      }),
  })
  reached = 0
  const { database, clock } = engine
  const parts = {
    connector: connectorsOf(engine),
    models: modelsOf(engine),
    clock,
    signal: new AbortController().signal,
  }
  const runner = new Runner(parts, database, new Recorder(database, clock, null))
  const [operator] = (await operatorsOf(engine, 'acme')).filter(({ name }) => name === 'thinker')
  const event = {
    event_id: `ev_${id}`,
    reseller_id: null,
    tenant_id: operator!.domain.tenant_id,
    workspace_id: null,
    source: 'shop',
    event_type: 'thing.seen',
    correlation_id: `co_ev_${id}`,
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
  await runner.run(operator!, occasion)
  process.stdout.write(`${reached}\n`)
  await engine.close('leave')
}
