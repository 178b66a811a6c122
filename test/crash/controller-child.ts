/**
 * A controller's loop in a process of its own, to be killed or put to sleep: `node controller-child.ts ORDERS`. Says `ready`
 * once its operators follow the log, and works until it is told to end.
 */
import { writeSync } from 'node:fs'
import type { Config } from '../../controller/config.ts'
import { openEngine } from '../../controller/engine.ts'
import type { ExecutorSettings } from '../../controller/executor/effects/context.ts'
import { startLoop } from '../../controller/loop/start.ts'
import { connectorsOf } from '../../controller/operations/connections.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import { withFailpoints } from './failpoints.ts'

export interface ControllerOrders {
  readonly config: Config
  /** Shorter leases than those of a deployment. */
  readonly leaseMarginMs: number
  /** Stops itself, as SIGSTOP does, right after its first claim was committed: intents of which nothing was sent. */
  readonly sleepsAfterClaim: boolean
}

if (process.argv[1] === import.meta.filename) await work(JSON.parse(process.argv[2]!) as ControllerOrders)

async function work({ config, leaseMarginMs, sleepsAfterClaim }: ControllerOrders): Promise<void> {
  /** The transaction that claims. */
  let claiming: string | undefined
  let awake = !sleepsAfterClaim
  const engine = await openEngine(config, {
    around: (database) =>
      withFailpoints(database, async (point) => {
        if (point.includes('claim_effects')) claiming ??= point.split(':')[0]
        if (awake || claiming === undefined || point !== `${claiming}: after commit`) return
        awake = true
        process.kill(process.pid, 'SIGSTOP')
      }),
  })
  const stopping = new AbortController()
  const settings: Partial<ExecutorSettings> = { leaseMarginMs, backoffMs: () => 20, idleMs: 10, recoverEveryMs: 100 }
  const bus = openEventBus(engine)
  const loop = startLoop(engine, {
    connector: connectorsOf(engine),
    bus,
    signal: stopping.signal,
    settings,
    onFailure: (error, doing) => writeSync(2, `${doing}: ${(error as Error).stack}\n`),
  })
  process.once('SIGTERM', () => stopping.abort())
  await loop.refresh()
  writeSync(1, 'ready\n')
  await loop.ended
  await bus.close()
  await engine.close('leave')
}
