import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { NewEvent } from '../../controller/domain/envelope.ts'
import type { TenantId } from '../../controller/domain/ids.ts'
import type { Claimed, Delivery, EventBus } from '../../controller/seams/event-bus.ts'

/** What a suite needs of an implementation: buses over one log, and a replay as a person would ask for it. */
export interface BusUnderTest {
  /** Another bus over the same log: another process, as far as can be told. */
  open(options?: { readonly leaseMs?: number }): EventBus
  readonly tenants: readonly [TenantId, TenantId]
  /** Resolves when everything published so far can be delivered. */
  settled(): Promise<void>
  replay(tenantId: TenantId, consumer: string, from: number, to: number, types: readonly string[]): Promise<string>
}

/** The promises of `EventBus`, for every implementation. Each test has consumers of its own. */
export function describeEventBus(name: string, under: () => BusUnderTest): void {
  describe(`the event bus on ${name}`, () => {
    test('delivers what was published, in order, and again until the cursor moves', async () => {
      const { bus, tenantId, consumer, publish } = setUp(under())
      const claimed = await claimAtNow(bus, tenantId, consumer)
      await publish(...numbered(5))
      const first = (await claimed.poll(3))!
      expect(numbersOf(first)).toEqual([0, 1, 2])
      expect(numbersOf((await claimed.poll(3))!)).toEqual([0, 1, 2])
      expect(await claimed.advance(first[1]!)).toBe(true)
      expect(numbersOf((await claimed.poll(3))!)).toEqual([2, 3, 4])
    })

    test('gives dense positions', async () => {
      const { bus, tenantId, consumer, publish } = setUp(under())
      const claimed = await claimAtNow(bus, tenantId, consumer)
      await publish(...numbered(20))
      const positions = (await claimed.poll(100))!.map(({ position }) => position)
      expect(positions).toEqual(positions.map((_, index) => positions[0]! + index))
    })

    test('begins a new consumer at now, or after a position', async () => {
      const { bus, tenantId, consumer, publish } = setUp(under())
      await publish(...numbered(3))
      const atNow = await claimAtNow(bus, tenantId, consumer)
      const fromStart = (await bus.claim({ tenantId, consumer: `${consumer}-all`, from: 0 }))!
      expect(await atNow.poll(10)).toEqual([])
      expect((await fromStart.poll(1000))!.length).toBeGreaterThanOrEqual(3)
      expect((await fromStart.poll(1))![0]!.position).toBe(1)
    })

    test('resumes after its cursor, whoever holds it next', async () => {
      const { bus, tenantId, consumer, publish } = setUp(under())
      const claimed = await claimAtNow(bus, tenantId, consumer)
      await publish(...numbered(4))
      await claimed.advance((await claimed.poll(2))!.at(-1)!)
      await claimed.release()
      const next = (await under().open().claim({ tenantId, consumer }))!
      expect(numbersOf((await next.poll(10))!)).toEqual([2, 3])
    })

    test('moves its cursor with the next look where that says what is done with', async () => {
      const { bus, tenantId, consumer, publish } = setUp(under())
      const claimed = await claimAtNow(bus, tenantId, consumer)
      await publish(...numbered(4))
      const first = (await claimed.poll(2))!
      expect(numbersOf((await claimed.poll(2, first[0]!))!)).toEqual([1, 2])
      await claimed.release()
      const next = (await under().open().claim({ tenantId, consumer }))!
      expect(numbersOf((await next.poll(10))!)).toEqual([1, 2, 3])
      await under().open().pause(tenantId, consumer)
      expect(await next.poll(10, first[1]!)).toBeNull()
      await under().open().resume(tenantId, consumer)
      const last = await claimWhenFree(under().open(), tenantId, consumer)
      expect(numbersOf((await last.poll(10))!)).toEqual([1, 2, 3])
    })

    test('has one holder at a time, and an old fence moves nothing', async () => {
      const { bus, tenantId, consumer, publish } = setUp(under(), { leaseMs: 1000 })
      const paused = await claimAtNow(bus, tenantId, consumer)
      await publish(...numbered(2))
      const [delivery] = (await paused.poll(1))!
      expect(await bus.claim({ tenantId, consumer })).toBeNull()
      const taker = await claimWhenFree(under().open({ leaseMs: 60_000 }), tenantId, consumer)
      expect(await paused.advance(delivery!)).toBe(false)
      expect(await paused.poll(1)).toBeNull()
      await paused.release()
      expect(numbersOf((await taker.poll(10))!)).toEqual([0, 1])
    })

    test('stays with its holder while a delivery takes longer than the lease', async () => {
      const { bus, tenantId, consumer, publish } = setUp(under(), { leaseMs: 3000 })
      await (await claimAtNow(bus, tenantId, consumer)).release()
      const stopping = new AbortController()
      const begun: number[] = []
      const failures: unknown[] = []
      let finish = (): void => {}
      const subscribed = bus.subscribe(
        { tenantId, consumer },
        {
          signal: stopping.signal,
          handle: (delivery) => {
            begun.push(delivery.position)
            return new Promise((resolve) => {
              finish = resolve
            })
          },
          onFailure: (error) => failures.push(error),
        },
      )
      await publish(...numbered(1))
      while (begun.length === 0) await sleep(20)
      const other = under().open()
      const taken: unknown[] = []
      for (let tries = 0; tries < 45; tries++) {
        taken.push(await other.claim({ tenantId, consumer }))
        await sleep(100)
      }
      finish()
      stopping.abort()
      await subscribed
      expect(taken.filter((claimed) => claimed !== null)).toEqual([])
      expect([begun.length, failures]).toEqual([1, []])
    })

    test('keeps the cursor of a paused consumer: nothing comes, and nothing is lost', async () => {
      const { bus, tenantId, consumer, publish } = setUp(under())
      const claimed = await claimAtNow(bus, tenantId, consumer)
      await publish(...numbered(2))
      await claimed.advance((await claimed.poll(1))![0]!)
      await bus.pause(tenantId, consumer)
      expect(await claimed.poll(1)).toBeNull()
      expect(await bus.claim({ tenantId, consumer })).toBeNull()
      await publish({ ...numbered(3)[2]! })
      await bus.resume(tenantId, consumer)
      expect(numbersOf((await (await bus.claim({ tenantId, consumer }))!.poll(10))!)).toEqual([1, 2])
    })

    test('refuses to pause a consumer that there is not', async () => {
      const { bus, tenantId } = setUp(under())
      await expect(bus.pause(tenantId, 'nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })

    test('keeps domains apart', async () => {
      const { bus, tenantId, consumer, publish } = setUp(under())
      const [, other] = under().tenants
      const foreign = await claimAtNow(bus, other, consumer)
      await claimAtNow(bus, tenantId, consumer)
      await publish(...numbered(2))
      expect(await foreign.poll(10)).toEqual([])
    })

    test('delivers a replay marked, beside the live events, with a cursor of its own', async () => {
      const { bus, tenantId, consumer, publish } = setUp(under())
      const claimed = await claimAtNow(bus, tenantId, consumer)
      await publish(...numbered(6, (n) => (n % 2 === 0 ? 'even.sent' : 'odd.sent')))
      const all = (await claimed.poll(10))!
      await claimed.advance(all.at(-1)!)
      const replayId = await under().replay(tenantId, consumer, all[1]!.position, all[4]!.position, ['even.*'])
      await publish({ ...numbered(7)[6]! })
      const seen: [number, string | null][] = []
      for (let empty = 0; empty < 2; ) {
        const deliveries = (await claimed.poll(1))!
        if (deliveries.length === 0) empty++
        for (const delivery of deliveries) {
          seen.push([delivery.event.payload.n as number, delivery.replayId])
          expect(await claimed.advance(delivery)).toBe(true)
        }
      }
      expect(seen.filter(([, replay]) => replay === null)).toEqual([[6, null]])
      expect(seen.filter(([, replay]) => replay !== null)).toEqual([
        [2, replayId],
        [4, replayId],
      ])
    })

    test('hands a subscriber everything, one key in order and never beside itself', async () => {
      const { bus, tenantId, consumer, publish } = setUp(under())
      await (await claimAtNow(bus, tenantId, consumer)).release()
      const stopping = new AbortController()
      const seen = new Map<string, number[]>()
      const busy = new Set<string>()
      const subscribed = bus.subscribe(
        { tenantId, consumer },
        {
          signal: stopping.signal,
          handle: async ({ event }) => {
            const key = event.correlation_id
            expect(busy.has(key)).toBe(false)
            busy.add(key)
            await new Promise((resolve) => setTimeout(resolve, Math.random() * 4))
            busy.delete(key)
            seen.set(key, [...(seen.get(key) ?? []), event.payload.n as number])
          },
        },
      )
      const events = numbered(120).map((event, n) => ({ ...event, correlationId: `co_${consumer}_${n % 7}` }))
      for (let at = 0; at < events.length; at += 10) await publish(...events.slice(at, at + 10))
      await expect.poll(() => [...seen.values()].flat().length, { timeout: 20_000 }).toBe(120)
      stopping.abort()
      await subscribed
      for (const numbers of seen.values()) expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    })

    test('brings what a subscriber failed at again, and what came after it', async () => {
      const { bus, tenantId, consumer, publish } = setUp(under())
      await (await claimAtNow(bus, tenantId, consumer)).release()
      const stopping = new AbortController()
      const seen: number[] = []
      const failures: unknown[] = []
      let failing = true
      const subscribed = bus.subscribe(
        { tenantId, consumer },
        {
          signal: stopping.signal,
          concurrency: 1,
          keyOf: () => 'one',
          handle: async ({ event }) => {
            const n = event.payload.n as number
            if (n === 2 && failing) {
              failing = false
              throw new Error('not this time')
            }
            seen.push(n)
          },
          onFailure: (error) => failures.push(error),
        },
      )
      await publish(...numbered(5))
      await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(5)
      stopping.abort()
      await subscribed
      expect(seen).toEqual([0, 1, 2, 3, 4])
      expect(failures).toHaveLength(1)
    })
  })
}

function setUp(under: BusUnderTest, options?: { readonly leaseMs?: number }) {
  const bus = under.open(options)
  const [tenantId] = under.tenants
  const publish = async (...events: readonly NewEvent[]): Promise<void> => {
    await bus.publish(tenantId, events)
    await under.settled()
  }
  return { bus, tenantId, consumer: `operator:${randomBytes(6).toString('hex')}`, publish }
}

async function claimAtNow(bus: EventBus, tenantId: TenantId, consumer: string): Promise<Claimed> {
  return (await bus.claim({ tenantId, consumer }))!
}

async function claimWhenFree(bus: EventBus, tenantId: TenantId, consumer: string): Promise<Claimed> {
  for (;;) {
    const claimed = await bus.claim({ tenantId, consumer })
    if (claimed) return claimed
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function numbered(count: number, typeOf: (n: number) => string = () => 'number.sent'): NewEvent[] {
  return Array.from({ length: count }, (_, n) => ({
    source: 'test',
    eventType: typeOf(n),
    payload: { n },
    origin: 'internal' as const,
  }))
}

function numbersOf(deliveries: readonly Delivery[]): number[] {
  return deliveries.map(({ event }) => event.payload.n as number)
}
