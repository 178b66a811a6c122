import type { TenantId } from '../domain/ids.ts'

/** Tells whoever waits in this process that a domain has new positions. It carries nothing and may be missed. */
export interface Doorbell {
  ring(tenantId: TenantId): void
  /** Calls `listener` at every ring until the function it answers is called. */
  listen(listener: (tenantId: TenantId) => void): () => void
}

const doorbells = new WeakMap<object, Doorbell>()

/** The one doorbell of a database in this process. */
export function doorbellOf(database: object): Doorbell {
  const known = doorbells.get(database)
  if (known) return known
  const listeners = new Set<(tenantId: TenantId) => void>()
  const doorbell: Doorbell = {
    ring: (tenantId) => {
      for (const listener of [...listeners]) listener(tenantId)
    },
    listen: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  doorbells.set(database, doorbell)
  return doorbell
}
