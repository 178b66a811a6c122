import { kindInfo } from '../../schemas/index.ts'
import { kindOf, slugOf } from '../domain/address.ts'
import { FibricError } from '../domain/errors.ts'
import type { Address, Digest } from '../domain/ids.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { Engine } from '../engine.ts'
import { type Actual, type ActualObject, readActual, readApplied, tenantOf } from '../reconciler/actual.ts'
import { type ActionRow, readOpenChanges } from '../store/actions.ts'
import { type DriftRow, readDrifts } from '../store/connection-records.ts'
import { requireScope } from '../tenancy/actor.ts'
import { visibleDomains } from './domains.ts'

/** One truth about an object, in the form every controller of the field uses. */
export interface Condition {
  readonly type: 'Applied' | 'Ready' | 'Drifted' | 'Suspended'
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  readonly lastTransitionTime: string
}

export interface StateObject {
  readonly address: Address
  readonly kind: string
  readonly labels: { readonly [key: string]: string }
  readonly generation: number
  readonly digest: Digest
  readonly commit: string | null
  readonly appliedAt: string
  readonly receiptId: string
  readonly source: ActualObject['source']
  readonly conditions: readonly Condition[]
}

export interface StateFilter {
  readonly tenant: string | null
  readonly kind?: string | null
  readonly name?: string | null
  readonly labels?: { readonly [key: string]: string }
}

/** Applied objects with their conditions, by address. */
export async function listState(engine: Engine, filter: StateFilter): Promise<StateObject[]> {
  requireScope(engine.actor, 'config:read')
  const domains = await visibleDomains(engine, filter.tenant)
  const slugs = new Set(domains.map((domain) => domain.slug))
  const actual = await readActual(engine.database, engine.clock())
  const tenants = domains.map((domain) => domain.tenant_id)
  const open = await engine.database.asWorker(tenants, (tx) => readOpenChanges(tx, tenants), { access: 'read only' })
  const waiting = new Map(open.map((action) => [action.entity_key as Address, action]))
  const found = await engine.database.asWorker(tenants, (tx) => readDrifts(tx, tenants), { access: 'read only' })
  const drifts = new Map(found.map((drift) => [drift.address, drift]))
  return actual.objects
    .filter((object) => slugs.has(slugOf(object.address)) && matches(object, filter))
    .map((object) => stateOf(object, actual, waiting.get(object.address) ?? null, drifts.get(object.address) ?? null))
    .sort((a, b) => (a.address < b.address ? -1 : 1))
}

export async function showState(
  engine: Engine,
  address: Address,
): Promise<StateObject & { content: ResourceContent | null }> {
  const all = await listState(engine, { tenant: null })
  const object = all.find((candidate) => candidate.address === address)
  if (!object) {
    throw new FibricError('NOT_FOUND', `nothing is applied at \`${address}\``, {
      hint: 'see what is with: fibric state list',
    })
  }
  return { ...object, content: (await contentsOf(engine, [object])).get(object.digest) ?? null }
}

/** The contents of applied objects by digest. */
export async function contentsOf(
  engine: Engine,
  objects: readonly { readonly address: Address; readonly digest: Digest }[],
): Promise<Map<Digest, ResourceContent>> {
  const domains = new Map((await visibleDomains(engine, null)).map((domain) => [domain.slug, domain]))
  const places = objects.flatMap((object) => {
    const tenantId = tenantOf({ domains }, object.address)
    return tenantId === null ? [] : [{ tenantId, digest: object.digest }]
  })
  return places.length === 0 ? new Map() : readApplied(engine.database, places)
}

function matches(object: ActualObject, filter: StateFilter): boolean {
  if (filter.kind && object.kind !== filter.kind) return false
  if (filter.name && object.address.slice(object.address.lastIndexOf('/') + 1) !== filter.name) return false
  return Object.entries(filter.labels ?? {}).every(([key, value]) => object.labels[key] === value)
}

function stateOf(object: ActualObject, actual: Actual, waiting: ActionRow | null, drift: DriftRow | null): StateObject {
  return {
    address: object.address,
    kind: kindOf(object.address),
    labels: object.labels,
    generation: object.generation,
    digest: object.digest,
    commit: object.commit,
    appliedAt: object.appliedAt,
    receiptId: object.receiptId,
    source: object.source,
    conditions: conditionsOf(object, actual, waiting, drift),
  }
}

function conditionsOf(
  object: ActualObject,
  actual: Actual,
  waiting: ActionRow | null,
  drift: DriftRow | null,
): Condition[] {
  const at = object.appliedAt
  const applied: Condition = waiting
    ? {
        type: 'Applied',
        status: 'False',
        reason: waiting.state === 'held' ? 'WaitingForApproval' : 'WaitingForOthers',
        message: `a newer version waits as ${waiting.action_id}`,
        lastTransitionTime: waiting.state_at,
      }
    : { type: 'Applied', status: 'True', reason: 'Receipted', message: object.receiptId, lastTransitionTime: at }
  const stored = kindInfo(object.kind)?.runtime === 'stored'
  const ready: Condition = stored
    ? {
        type: 'Ready',
        status: 'Unknown',
        reason: 'StoredOnly',
        message: 'stored, not yet in effect',
        lastTransitionTime: at,
      }
    : { type: 'Ready', status: 'True', reason: 'InEffect', message: 'in effect', lastTransitionTime: at }
  const drifted = driftOf(object, drift)
  const suspension = actual.suspensions.get(object.address)
  const suspended: Condition[] = suspension
    ? [
        {
          type: 'Suspended',
          status: 'True',
          reason: 'ByPerson',
          message: `${suspension.reason} (until ${suspension.until})`,
          lastTransitionTime: suspension.created_at,
        },
      ]
    : []
  return [applied, ready, drifted, ...suspended]
}

function driftOf(object: ActualObject, tools: DriftRow | null): Condition {
  const at = object.appliedAt
  if (object.drift) {
    return {
      type: 'Drifted',
      status: 'True',
      reason: driftReasons[object.drift],
      message: driftMessages[object.drift],
      lastTransitionTime: at,
    }
  }
  // What another version of the connection was found to be says nothing of this one.
  if (tools !== null && tools.connection_digest === object.digest) {
    return {
      type: 'Drifted',
      status: 'True',
      reason: 'ToolsDisagree',
      message: `its MCP server's tools are ${tools.listed}, and ${tools.pinned ?? 'none'} is pinned: calls are refused`,
      lastTransitionTime: tools.found_at,
    }
  }
  return {
    type: 'Drifted',
    status: 'False',
    reason: 'AsReceipted',
    message: 'row and content agree with the receipt',
    lastTransitionTime: at,
  }
}

const driftReasons = { pointer: 'PointerDisagrees', content: 'ContentDamaged', missing: 'RowMissing' } as const
const driftMessages = {
  pointer: 'the stored row disagrees with its last receipt',
  content: 'the content is gone or does not hash to its digest',
  missing: 'the stored row is gone',
} as const
