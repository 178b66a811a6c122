import { type Change, changeDigest } from './change.ts'
import { digestJson } from './digest.ts'
import { engineVersion } from './engine.ts'
import type { ActionId, Address, Digest, ReceiptId } from './ids.ts'
import type { Json, JsonObject } from './json.ts'
import type { ResourceSource } from './resource.ts'

/** An object a plan rests on: one it changes, or one that a changed object refers to. */
export interface ReadObject {
  readonly address: Address
  /** 0 and null: nothing was applied there. */
  readonly generation: number
  readonly digest: Digest | null
}

/** What the plan id is made of; everything else about a plan stands beside it. */
export interface PlanCore {
  readonly deployment: string
  readonly engine: string
  readonly changes: readonly Change[]
  readonly readSet: readonly ReadObject[]
  /** Slug of each changed domain → digest of the rules that gate it. */
  readonly rules: { readonly [slug: string]: Digest }
}

export interface Author {
  readonly name: string
  readonly email: string
  /** The person a verified signature proves: the address of a User. */
  readonly signer: Address | null
  /** How separation of duties knows the author: the signer, else a User with this email, else `git:<email>`. */
  readonly person: string
}

/**
 * What applying would do with a change now.
 *
 * `settled` wishes were asked once and refused under the rules in force: they are conditions, not proposals.
 */
export type Standing =
  /** `despite` names the refusal that a person wants asked again. */
  | { readonly kind: 'proposed'; readonly despite?: ActionId }
  | { readonly kind: 'waiting'; readonly actionId: ActionId }
  | { readonly kind: 'settled'; readonly outcome: string; readonly receiptId: ReceiptId }
  | { readonly kind: 'suspended'; readonly reason: string; readonly until: string }
  | { readonly kind: 'withheld'; readonly on: Address }

export interface PlannedChange extends Change {
  readonly kind: string
  readonly heals: boolean
  readonly digest: Digest
  readonly standing: Standing
  /** The class the gate saw: `widens`, `narrows`, `behaviour` or `neutral`. */
  readonly authority: Authority
  readonly verdict: JsonObject
  readonly authors: readonly Author[]
  /** Null for a deletion. */
  readonly source: ResourceSource | null
  /** What the object will refer to. */
  readonly references: readonly Address[]
  /** Addresses among the plan's changes that must be applied first. */
  readonly after: readonly Address[]
}

export interface Authority {
  readonly class: 'widens' | 'narrows' | 'behaviour' | 'neutral'
  readonly reasons: readonly string[]
}

/** Where the desired state came from. */
export interface PlanSource {
  readonly kind: 'directory' | 'commit'
  readonly commit: string | null
  /** Digest over every desired address and digest: what was wanted, however it was written. */
  readonly tree: Digest
}

export interface Plan extends PlanCore {
  readonly id: Digest
  readonly changes: readonly PlannedChange[]
  readonly source: PlanSource
  readonly genesis: boolean
  readonly createdAt: string
  readonly expiresAt: string
  readonly backtest: Json
  /** Drift that is reported and not repaired. */
  readonly drifted: readonly { readonly address: Address; readonly drift: string }[]
  readonly warnings: readonly string[]
}

export const planLifetimeMs = 24 * 60 * 60 * 1000

export function planId(core: PlanCore): Digest {
  return digestJson(coreJson(core))
}

/** The part of a plan that its id is made of, as JSON. */
export function coreJson(core: PlanCore): JsonObject {
  return {
    deployment: core.deployment,
    engine: core.engine,
    changes: core.changes.map(changeDigest),
    read_set: core.readSet.map((object) => [object.address, object.generation, object.digest]),
    rules: core.rules,
  }
}

export interface PlanCounts {
  readonly create: number
  readonly update: number
  readonly delete: number
}

export function countChanges(changes: readonly Change[]): PlanCounts {
  let create = 0
  let update = 0
  let deleted = 0
  for (const change of changes) {
    if (change.digestAfter === null) deleted++
    else if (change.digestBefore === null) create++
    else update++
  }
  return { create, update, delete: deleted }
}

/** A stale object: what the plan saw, and what is there now. */
export interface StaleObject {
  readonly address: Address
  readonly planned: ReadObject
  readonly now: ReadObject
}

/** Objects of the read-set that moved since the plan was made. `now` answers for any address. */
export function staleObjects(readSet: readonly ReadObject[], now: (address: Address) => ReadObject): StaleObject[] {
  return readSet.flatMap((planned) => {
    const current = now(planned.address)
    const same = current.generation === planned.generation && current.digest === planned.digest
    return same ? [] : [{ address: planned.address, planned, now: current }]
  })
}

export function isOwnEngine(core: PlanCore): boolean {
  return core.engine === engineVersion
}
