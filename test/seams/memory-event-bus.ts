import { randomBytes } from 'node:crypto'
import type { NewEvent } from '../../controller/domain/envelope.ts'
import { FibricError } from '../../controller/domain/errors.ts'
import { compileGlob } from '../../controller/domain/glob.ts'
import { mintId, type TenantId } from '../../controller/domain/ids.ts'
import { deliver } from '../../controller/seams/event-bus/deliver.ts'
import type { Claimed, Delivery, EventBus, Subscription } from '../../controller/seams/event-bus.ts'

interface Consumer {
  position: number
  state: 'active' | 'paused'
  fence: number
  leaseUntil: number
}

interface Replay {
  readonly id: string
  readonly to: number
  readonly types: readonly string[]
  position: number
}

/** The bus without a database, for unit tests. Several buses may share one log, as processes would. */
export function memoryEventBus() {
  const logs = new Map<TenantId, Delivery[]>()
  const consumers = new Map<string, Consumer>()
  const replays = new Map<string, Replay[]>()
  const listeners = new Set<(tenantId: TenantId) => void>()
  let fences = 0
  const logOf = (tenantId: TenantId): Delivery[] => {
    const log = logs.get(tenantId) ?? []
    logs.set(tenantId, log)
    return log
  }
  const keyOf = (tenantId: TenantId, consumer: string) => `${tenantId} ${consumer}`
  const ring = (tenantId: TenantId) => {
    for (const listener of [...listeners]) listener(tenantId)
  }
  const setState = async (tenantId: TenantId, name: string, state: Consumer['state']) => {
    const consumer = consumers.get(keyOf(tenantId, name))
    if (!consumer) throw new FibricError('NOT_FOUND', `there is no consumer \`${name}\``)
    Object.assign(consumer, { state, leaseUntil: 0, fence: ++fences })
    ring(tenantId)
  }

  const open = (options: { readonly leaseMs?: number } = {}): EventBus => {
    const leaseMs = options.leaseMs ?? 30_000
    const bus: EventBus = {
      publish: async (tenantId, events) => {
        const log = logOf(tenantId)
        const added = events.map((event, index) => delivered(tenantId, event, log.length + index + 1))
        log.push(...added)
        ring(tenantId)
        return added.map(({ event }) => event.event_id)
      },
      claim: async (subscription) => claim(subscription, leaseMs),
      subscribe: (subscription, delivery) => deliver(bus, subscription, delivery),
      pause: (tenantId, consumer) => setState(tenantId, consumer, 'paused'),
      resume: (tenantId, consumer) => setState(tenantId, consumer, 'active'),
      heads: async () => new Map([...logs].map(([tenantId, log]) => [tenantId, log.length])),
      listen: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      close: async () => {},
    }
    return bus
  }

  const claim = ({ tenantId, consumer: name, from }: Subscription, leaseMs: number): Claimed | null => {
    const key = keyOf(tenantId, name)
    const start = typeof from === 'number' ? from : logOf(tenantId).length
    const consumer = consumers.get(key) ?? { position: start, state: 'active', fence: 0, leaseUntil: 0 }
    consumers.set(key, consumer)
    if (consumer.state === 'paused' || consumer.leaseUntil > Date.now()) return null
    const fence = ++fences
    Object.assign(consumer, { fence, leaseUntil: Date.now() + leaseMs })
    const isMine = () => consumer.fence === fence && consumer.state === 'active'
    let replaysNext = false
    const advance = (to: Delivery): void => {
      if (to.replayId === null) consumer.position = to.position
      else replays.get(key)!.find(({ id }) => id === to.replayId)!.position = to.position
    }
    return {
      mark: (replayId) => ({ tenantId, consumer: name, fence, replayId }),
      poll: async (limit, done = null) => {
        if (!isMine()) return null
        if (done !== null) advance(done)
        consumer.leaseUntil = Date.now() + leaseMs
        replaysNext = !replaysNext
        const live = logOf(tenantId).slice(consumer.position, consumer.position + limit)
        const replayed = (replays.get(key) ?? []).map((replay) => nextOf(replay, logOf(tenantId), limit)).find(hasSome)
        return (replaysNext && live.length > 0 ? live : replayed) ?? live
      },
      advance: async (to) => {
        if (!isMine()) return false
        advance(to)
        return true
      },
      leaseMs,
      hold: async () => {
        if (isMine()) consumer.leaseUntil = Date.now() + leaseMs
        return isMine()
      },
      release: async () => {
        if (isMine()) consumer.leaseUntil = 0
      },
    }
  }

  const replay = async (tenantId: TenantId, name: string, from: number, to: number, types: readonly string[]) => {
    const id = mintId('replay', Date.now(), randomBytes(10))
    const key = keyOf(tenantId, name)
    replays.set(key, [...(replays.get(key) ?? []), { id, to, types, position: from - 1 }])
    ring(tenantId)
    return id
  }

  return { open, replay }
}

function hasSome(deliveries: readonly Delivery[]): boolean {
  return deliveries.length > 0
}

function nextOf(replay: Replay, log: readonly Delivery[], limit: number): Delivery[] {
  return log
    .slice(replay.position, replay.to)
    .filter(({ event }) => replay.types.some((type) => compileGlob(type).matches(event.event_type)))
    .slice(0, limit)
    .map((delivery) => ({ ...delivery, replayId: replay.id }))
}

function delivered(tenantId: TenantId, event: NewEvent, position: number): Delivery {
  const now = Date.now()
  return {
    event: {
      event_id: mintId('event', now, randomBytes(10)),
      reseller_id: null,
      tenant_id: tenantId,
      workspace_id: event.workspaceId ?? null,
      source: event.source,
      event_type: event.eventType,
      correlation_id: event.correlationId ?? mintId('correlation', now, randomBytes(10)),
      payload: event.payload,
      agent_id: event.agentId ?? null,
      session_id: event.sessionId ?? null,
    },
    position,
    receivedAt: new Date(now).toISOString(),
    key: event.key ?? null,
    depth: event.depth ?? 0,
    origin: event.origin,
    replayId: null,
  }
}
