import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { FibricError } from '../../controller/domain/errors.ts'
import type { TenantId } from '../../controller/domain/ids.ts'
import type { Engine } from '../../controller/engine.ts'
import { Admission, type AdmissionLimits } from '../../controller/ingest/admission.ts'
import { appendEvents } from '../../controller/ingest/append.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import { event } from './world.ts'

export interface Neighbours {
  readonly loud: { readonly tenantId: TenantId; readonly slug: string }
  readonly quiet: { readonly tenantId: TenantId; readonly slug: string }
}

export interface Flood {
  readonly accepted: number
  readonly refused: number
  /** Whatever was answered with 429: how long to wait, in seconds. */
  readonly retryAfterS: readonly number[]
  readonly quiet: { readonly sent: number; readonly deliveredMs: readonly number[] }
  /** Events of the loud tenant that were not processed yet when the last of the quiet one was. */
  readonly backlogAtEnd: number
}

/**
 * One tenant sends as many events as it can, at once and whatever it is told, and goes on until it was refused; a small one
 * beside it sends one now and then. Both come in by the door's admission and leave by the bus.
 */
export async function flood(
  database: Engine['database'],
  { loud, quiet }: Neighbours,
  {
    events,
    limits,
    quietEveryMs,
    consumerStuck = false,
  }: {
    readonly events: number
    readonly limits: AdmissionLimits
    readonly quietEveryMs: number
    /** Whether the loud tenant's consumer ends no event before the quiet one has all of its own; it takes 2 ms for each otherwise. */
    readonly consumerStuck?: boolean
  },
): Promise<Flood> {
  const admission = new Admission(database, limits)
  const bus = openEventBus({ database })
  const stopping = new AbortController()
  const { signal } = stopping
  const sentAt = new Map<string, number>()
  const deliveredMs: number[] = []
  const served = Promise.withResolvers<void>()
  let processed = 0
  for (const { tenantId } of [loud, quiet]) await (await bus.claim({ tenantId, consumer: 'operator:flood' }))!.release()
  const consuming = [
    bus.subscribe(
      { tenantId: loud.tenantId, consumer: 'operator:flood' },
      {
        signal,
        concurrency: 4,
        handle: async () => {
          await (consumerStuck ? served.promise : sleep(2))
          processed++
        },
      },
    ),
    bus.subscribe(
      { tenantId: quiet.tenantId, consumer: 'operator:flood' },
      { signal, handle: async ({ key }) => void deliveredMs.push(performance.now() - sentAt.get(key ?? '')!) },
    ),
  ]
  let [left, accepted, refused, flooding] = [events, 0, 0, true]
  const retryAfterS: number[] = []
  const sender = async (): Promise<void> => {
    while (left-- > 0 || refused === 0) {
      try {
        await admission.admit(loud.tenantId, loud.slug)
        await appendEvents(database, loud.tenantId, [event({ left })])
        accepted++
      } catch (error) {
        if (!(error instanceof FibricError) || error.code !== 'BACKLOG_FULL') throw error
        refused++
        retryAfterS.push(Number(error.details.retry_after_s))
        // A refusal has to reach its sender before that one can send again.
        await nextTurn()
      }
    }
  }
  const flooded = Promise.all(Array.from({ length: 256 }, sender)).then(() => {
    flooding = false
  })
  let sent = 0
  while (flooding || sent < 20) {
    const key = `quiet-${sent++}`
    sentAt.set(key, performance.now())
    await admission.admit(quiet.tenantId, quiet.slug)
    await appendEvents(database, quiet.tenantId, [event({}, { key })])
    await sleep(quietEveryMs)
  }
  await flooded
  while (deliveredMs.length < sent) await sleep(10)
  const backlogAtEnd = accepted - processed
  served.resolve()
  stopping.abort()
  await Promise.all(consuming)
  await bus.close()
  return { accepted, refused, retryAfterS, quiet: { sent, deliveredMs }, backlogAtEnd }
}
