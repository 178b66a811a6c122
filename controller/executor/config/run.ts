import { randomBytes } from 'node:crypto'
import type { ActionState } from '../../domain/action-machine.ts'
import {
  type ActionId,
  type Address,
  type Digest,
  mintId,
  type PlanId,
  type ReceiptId,
  type Slug,
  type TenantId,
} from '../../domain/ids.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { Standing } from '../../domain/lock-out.ts'
import type { People } from '../../domain/people.ts'
import type { PlannedChange } from '../../domain/plan.ts'
import type { Pools } from '../../domain/pools.ts'
import type { ResourceContent } from '../../domain/resource.ts'
import type { ActionRow } from '../../store/actions.ts'
import type { ApprovalRow } from '../../store/approvals.ts'
import type { Database } from '../../store/connect.ts'
import type { DomainRow } from '../../store/domains.ts'
import type { ReceiptedObject } from '../../store/objects.ts'
import type { Actor } from '../../tenancy/actor.ts'

/** What an action needs beyond its change: the document to store, and the files it refers to. */
export interface Material {
  readonly content: ResourceContent | null
  readonly before: ResourceContent | null
  readonly files: ReadonlyMap<Digest, Buffer>
}

/** One change to dispose of. `existing` is the action that waited, when this is not the first time. */
export interface Item {
  readonly change: PlannedChange
  readonly material: Material
  readonly existing: ActionRow | null
  readonly approvals: readonly ApprovalRow[]
}

/** What became of a change in this run. Everything but `applied` names why. */
export interface ChangeOutcome {
  readonly address: Address
  readonly change: PlannedChange
  readonly outcome: Fate
  readonly actionId: ActionId | null
  readonly receiptId: ReceiptId | null
  readonly reasons: readonly string[]
}

/**
 * `applied`, `blocked`, `held`, `skipped` and `planned` were decided in this run. The rest wrote nothing: `unchanged`
 * was applied by an earlier attempt, `waiting` and `settled` were decided earlier, `suspended` and `withheld` were not
 * proposed.
 */
export type Fate =
  | Extract<ActionState, 'applied' | 'blocked' | 'held' | 'skipped' | 'planned'>
  | 'unchanged'
  | 'waiting'
  | 'settled'
  | 'suspended'
  | 'withheld'

/** One application of changes, from a terminal or from the controller's loop. */
export interface Run {
  readonly database: Database
  readonly actor: Actor
  readonly configPlanId: Digest | null
  readonly correlationId: string
  readonly source: JsonObject
  readonly genesis: boolean
  /** How long a hold lasts whose rule does not say. */
  readonly approvalsExpireInMs: number
  readonly clock: () => Date
  readonly domains: Map<Slug, DomainRow>
  readonly planIds: Map<Slug, PlanId>
  readonly outcomes: Map<Address, ChangeOutcome>
  /** Content that is gone from the store and that the plan at hand holds, to the digest. */
  readonly restored: Restored
  /** Rules and people as the changes still ahead would leave them: a batch is not blamed for what a later one mends. */
  readonly atTheEnd: (standing: Standing, isAhead: (address: Address) => boolean) => Standing
  /** Whether a person confirmed what the brakes said. */
  readonly brakesConfirmed: boolean
  /** Read again whenever an epoch moved; null before the first batch. */
  rules: RulesInForce | null
}

export type Restored = (object: Pick<ReceiptedObject, 'address' | 'digest'>) => ResourceContent | null

/** The pools and the people whose roles approve, and the epochs they were read at. */
export interface RulesInForce {
  readonly pools: Pools
  readonly people: People
  readonly epochs: Map<TenantId, number>
}

let mintedAtMs = 0
let mintedThen = 0

/**
 * A new id. Those of one millisecond sort in the order they were made (RFC 9562, section 6.2, method 1), so that lists by
 * id tell a batch as it happened.
 */
export function newId<Id extends string>(noun: Parameters<typeof mintId>[0], now: Date): Id {
  const nowMs = now.getTime()
  mintedThen = nowMs === mintedAtMs ? mintedThen + 1 : 0
  mintedAtMs = nowMs
  const random = randomBytes(10)
  random.writeUInt16BE(mintedThen & 0x0fff)
  return mintId(noun, nowMs, random) as Id
}

/** The execution plan of a domain in this run; one a domain, joined by the run's correlation id. */
export function planIdOf(run: Run, slug: Slug, now: Date): PlanId {
  let id = run.planIds.get(slug)
  if (!id) {
    id = newId<PlanId>('plan', now)
    run.planIds.set(slug, id)
  }
  return id
}
