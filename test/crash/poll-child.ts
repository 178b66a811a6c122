/**
 * A process that polls a provider to the end and emits what a schedule says, to be killed while it does:
 * `node poll-child.ts ORDERS`. Prints how many points it reached when nobody kills it.
 */
import type { Config } from '../../controller/config.ts'
import { openEngine } from '../../controller/engine.ts'
import { pollOnce } from '../../controller/ingest/pollers.ts'
import { tickOnce } from '../../controller/ingest/schedules.ts'
import { schedulesInForce } from '../../controller/ingest/schedules-in-force.ts'
import { sequencerOf } from '../../controller/ingest/sequencer.ts'
import { pollerParts } from '../../controller/operations/sources.ts'
import { withFailpoints } from './failpoints.ts'

export interface PollOrders {
  readonly config: Config
  /** Epoch milliseconds that the schedule's clock stands at. */
  readonly now: number
  /** The how many-th point kills; 0: none. */
  readonly kill: number
}

if (process.argv[1] === import.meta.filename) await work(JSON.parse(process.argv[2]!) as PollOrders)

async function work({ config, now, kill }: PollOrders): Promise<void> {
  let reached = 0
  const engine = await openEngine(config, {
    around: (database) =>
      withFailpoints(database, async () => {
        if (++reached === kill) process.kill(process.pid, 'SIGKILL')
      }),
  })
  reached = 0
  const parts = pollerParts(engine, (error) => {
    throw error
  })
  const poll = (await parts.source.polls()).find(({ eventType }) => eventType === 'order.paged')!
  // Two turns: the pages of one pass are more than one turn may ask for.
  for (let turns = 0; turns < 2; turns++) await pollOnce(parts, poll, new AbortController().signal)
  const clocked = { ...parts, clock: () => new Date(now) }
  for (const schedule of await schedulesInForce(engine.database)) await tickOnce(clocked, schedule)
  await sequencerOf(engine.database).settled()
  process.stdout.write(`${reached}\n`)
  await engine.close()
}
