import { setTimeout as sleep } from 'node:timers/promises'
import type { Claimed, Delivery, DeliveryOptions, EventBus, Subscription } from '../event-bus.ts'

const batchMax = 200
const concurrencyDefault = 16
/** How soon a consumer whose handler failed is tried again. */
const retryMsMin = 100
const retryMsMax = 30_000
/** How soon a consumer is asked for again that is paused, or that somebody else has. */
const takenMs = 1_000
/** How long a consumer that ran dry is held on to: under a steady flow it is claimed once. */
const lingerMs = 1_000
/** Looked at even if nobody rang, in case a bell was missed: rarely, for a thousand idle consumers look too. */
const idleMs = 1_800_000

/** Delivers to one consumer until the signal aborts, with what any bus can do: claim, poll, advance. */
export async function deliver(bus: EventBus, subscription: Subscription, options: DeliveryOptions): Promise<void> {
  const { signal } = options
  const bell = bellUntil(signal)
  const stop = bus.listen((tenantId) => {
    if (tenantId === subscription.tenantId) bell.wake()
  })
  let retryMs = retryMsMin
  try {
    while (!signal.aborted) {
      const ended = await burst(bus, subscription, options, bell)
      if (signal.aborted) return
      if (ended === 'failed') {
        await pause(retryMs, signal)
        retryMs = Math.min(retryMs * 2, retryMsMax)
      } else {
        retryMs = retryMsMin
        await bell.wait(ended === 'drained' ? idleMs * (0.5 + Math.random()) : takenMs)
      }
    }
  } finally {
    stop()
  }
}

/** One claim, until there is nothing left, the claim is lost or something fails. */
async function burst(
  bus: EventBus,
  subscription: Subscription,
  options: DeliveryOptions,
  bell: Bell,
): Promise<'drained' | 'taken' | 'failed'> {
  let claimed: Claimed | null = null
  try {
    claimed = await bus.claim(subscription)
    if (claimed === null) return 'taken'
    let done: Delivery | null = null
    while (!options.signal.aborted) {
      const deliveries: readonly Delivery[] | null = await claimed.poll(batchMax, done)
      if (deliveries === null) return 'taken'
      done = null
      if (deliveries.length === 0) {
        if (!(await bell.wait(lingerMs))) break
        continue
      }
      const count = await whileHeld(claimed, options, (isHeld) => handleInOrder(deliveries, options, isHeld))
      // The cursor moves with the next look: a transaction less for each batch.
      done = deliveries[count - 1] ?? null
      if (count === deliveries.length) continue
      if (done !== null && !(await claimed.advance(done))) return 'taken'
      await claimed.release()
      return options.signal.aborted ? 'drained' : 'failed'
    }
    if (done !== null && !(await claimed.advance(done))) return 'taken'
    await claimed.release()
    return 'drained'
  } catch (error) {
    // The claim runs out by itself.
    options.onFailure?.(error, null)
    return 'failed'
  }
}

/** Shows signs of life during some work: a batch that takes longer than a lease stays with its holder. */
async function whileHeld<T>(
  claimed: Claimed,
  { onFailure }: DeliveryOptions,
  work: (isHeld: () => boolean) => Promise<T>,
): Promise<T> {
  let held = true
  const beat = setInterval(() => {
    claimed.hold().then(
      (stillHeld) => {
        held = stillHeld
      },
      (error: unknown) => onFailure?.(error, null),
    )
  }, claimed.leaseMs / 3)
  try {
    return await work(() => held)
  } finally {
    clearInterval(beat)
  }
}

/** Handles a batch, keys beside one another and each key in order. Answers how many from the front are done. */
async function handleInOrder(
  deliveries: readonly Delivery[],
  options: DeliveryOptions,
  isHeld: () => boolean,
): Promise<number> {
  const keyOf = options.keyOf ?? ((delivery) => delivery.event.correlation_id)
  const done = new Array<boolean>(deliveries.length).fill(false)
  const queues = [...Map.groupBy(deliveries.keys(), (index) => keyOf(deliveries[index]!)).values()]
  let failed = false
  const work = async (): Promise<void> => {
    for (let queue = queues.shift(); queue !== undefined; queue = queues.shift()) {
      for (const index of queue) {
        if (failed || options.signal.aborted || !isHeld()) return
        try {
          await options.handle(deliveries[index]!)
          done[index] = true
        } catch (error) {
          failed = true
          options.onFailure?.(error, deliveries[index]!)
        }
      }
    }
  }
  await Promise.all(Array.from({ length: options.concurrency ?? concurrencyDefault }, work))
  const open = done.indexOf(false)
  return open < 0 ? deliveries.length : open
}

interface Bell {
  wake(): void
  /** Waits until it is woken, or has been since the last wait; false when the time is over first. */
  wait(milliseconds: number): Promise<boolean>
}

function bellUntil(signal: AbortSignal): Bell {
  let woken = false
  let awaken: (() => void) | null = null
  const wake = (): void => {
    woken = true
    awaken?.()
  }
  signal.addEventListener('abort', wake, { once: true })
  return {
    wake,
    wait: async (milliseconds) => {
      if (!woken) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, milliseconds)
          awaken = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      awaken = null
      const wasWoken = woken
      woken = false
      return wasWoken
    },
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal })
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error
  }
}
