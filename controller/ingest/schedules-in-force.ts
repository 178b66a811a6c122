import { slugOf } from '../domain/address.ts'
import type { TenantId } from '../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { Missed, TickTimes } from '../domain/tick-times.ts'
import type { Database } from '../store/connect.ts'
import { readDomains } from '../store/domains.ts'
import { readKindMarks } from '../store/egress.ts'
import { type ReceiptedObject, readReceiptedRows } from '../store/objects.ts'

/** A Schedule as applied, that is active and emits an event. */
export interface ScheduleInForce {
  readonly tenantId: TenantId
  readonly slug: string
  /** Stays when the schedule is renamed: ticks are by it. */
  readonly id: string
  readonly name: string
  readonly times: TickTimes
  readonly missed: Missed
  readonly eventType: string
  readonly payload: JsonObject
}

/** The schedules of every domain; what has not moved is not read again. */
export class ScheduleDirectory {
  readonly #database: Database
  readonly #known = new Map<TenantId, { readonly mark: string; readonly schedules: readonly ScheduleInForce[] }>()

  constructor(database: Database) {
    this.#database = database
  }

  async read(): Promise<readonly ScheduleInForce[]> {
    const domains = await this.#database.asWorker([], readDomains, { access: 'read only' })
    const tenants = domains.map((domain) => domain.tenant_id)
    if (tenants.length === 0) return []
    await this.#database.asWorker(
      tenants,
      async (tx) => {
        const marks = await readKindMarks(tx, tenants, ['Schedule'])
        const moved = tenants.filter((tenant) => this.#known.get(tenant)?.mark !== (marks.get(tenant) ?? ''))
        if (moved.length === 0) return
        const objects = await readReceiptedRows(tx, moved, ['Schedule'])
        for (const tenant of moved) {
          const own = objects.filter(({ tenant_id }) => tenant_id === tenant)
          this.#known.set(tenant, { mark: marks.get(tenant) ?? '', schedules: own.flatMap(scheduleOf) })
        }
      },
      { access: 'read only', isolation: 'repeatable read' },
    )
    for (const tenant of this.#known.keys()) if (!tenants.includes(tenant)) this.#known.delete(tenant)
    return tenants.flatMap((tenant) => this.#known.get(tenant)?.schedules ?? [])
  }
}

/** The schedules in force now, read afresh. */
export function schedulesInForce(database: Database): Promise<readonly ScheduleInForce[]> {
  return new ScheduleDirectory(database).read()
}

function scheduleOf(object: ReceiptedObject): ScheduleInForce[] {
  // Content that is gone fires nothing until an apply brings it back.
  if (object.bytes === null || object.object_id === null) return []
  const { spec } = JSON.parse(object.bytes.toString('utf8')) as ResourceContent
  if (spec.state === 'paused' || !isJsonObject(spec.emit)) return []
  return [
    {
      tenantId: object.tenant_id,
      slug: slugOf(object.address),
      id: object.object_id,
      name: object.address.slice(object.address.lastIndexOf('/') + 1),
      times: { every: text(spec.every), cron: text(spec.cron), timeZone: text(spec.timeZone) },
      missed: (text(spec.missed) ?? 'once') as Missed,
      eventType: String(spec.emit.eventType),
      payload: isJsonObject(spec.emit.payload) ? spec.emit.payload : {},
    },
  ]
}

function text(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null
}
