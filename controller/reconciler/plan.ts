import { kindOf, slugOf } from '../domain/address.ts'
import type { BacktestReport } from '../domain/backtest.ts'
import { type Change, changeDigest, isHeal } from '../domain/change.ts'
import { type ChangeContents, classifyChange, type SchemaOf } from '../domain/classify.ts'
import { verdictOf } from '../domain/config-action.ts'
import { type AppliedObject, diffResources } from '../domain/diff.ts'
import { engineVersion } from '../domain/engine.ts'
import type { Principal } from '../domain/identity.ts'
import { type Address, type Digest, platformSlug } from '../domain/ids.ts'
import {
  type Author,
  type Plan,
  type PlannedChange,
  type PlanSource,
  planId,
  planLifetimeMs,
  type ReadObject,
  type Standing,
} from '../domain/plan.ts'
import type { Pools } from '../domain/pools.ts'
import type { DesiredResource, ResourceContent } from '../domain/resource.ts'
import { inScope, type Scope, withDependencies } from '../domain/scope.ts'
import { executionOrder, prerequisites } from '../domain/sequence.ts'
import type { Verdict } from '../domain/verdict.ts'
import type { Actual, ActualObject } from './actual.ts'
import type { PastActions } from './past-actions.ts'

/** Everything a plan is computed from; the computation itself reads nothing else. */
export interface PlanInput {
  readonly desired: readonly DesiredResource[]
  readonly source: PlanSource
  readonly actual: Actual
  /** Objects the ledger says are applied although their row is gone. */
  readonly lost: readonly AppliedObject[]
  readonly scope: Scope
  readonly proposer: Principal
  readonly drift: { readonly platform: DriftMode; readonly tenants: DriftMode }
  /** Heal every drifted object in scope, whatever the deployment's modes say. */
  readonly healAll: boolean
  readonly now: Date
  readonly genesis: boolean
}

export type DriftMode = 'observe' | 'heal' | 'block'

/** The changes, in the order they would be carried out, before anything is known of their content. */
export interface PlanOutline {
  /** The targets and what they depend on; null when the plan has none. */
  readonly targets: ReadonlySet<Address> | null
  readonly changes: readonly Change[]
  readonly desired: ReadonlyMap<Address, DesiredResource>
  readonly applied: ReadonlyMap<Address, AppliedObject>
  readonly drifted: readonly AppliedObject[]
}

export function outlinePlan(input: Omit<PlanInput, 'source'>): PlanOutline {
  const objects: readonly AppliedObject[] = [...input.actual.objects, ...input.lost]
  const references = new Map<Address, readonly Address[]>()
  for (const object of objects) references.set(object.address, object.references)
  for (const resource of input.desired) references.set(resource.address, resource.references)
  const targets = withDependencies(input.scope.targets, (address) => references.get(address) ?? [])

  const desired = input.desired.filter((resource) => inScope(input.scope, targets, resource))
  const applied = objects.filter((object) => inScope(input.scope, targets, labelled(object)))
  const heals = (object: AppliedObject): boolean => input.healAll || driftModeOf(input, object.address) === 'heal'
  const changes = executionOrder(
    diffResources({ desired, applied, tombstones: input.actual.tombstones, heals: (object) => heals(object) }),
  )
  return {
    targets,
    changes,
    desired: new Map(desired.map((resource) => [resource.address, resource])),
    applied: new Map(applied.map((object) => [object.address, object])),
    drifted: applied.filter((object) => object.drift !== null && !heals(object)),
  }
}

/** What the second half of planning needs to know about the outline's changes. */
export interface PlanKnowledge {
  readonly pools: Pools
  readonly schemaOf: SchemaOf
  readonly contents: (change: Change) => ChangeContents
  readonly past: PastActions
  readonly authors: (change: Change) => readonly Author[]
  readonly backtest: BacktestReport | null
  readonly retry: ReadonlySet<Address>
  readonly warnings: readonly string[]
}

/** Gates the changes in order, each by the rules in force after those before it, and makes the plan of them. */
export function completePlan(input: PlanInput, outline: PlanOutline, known: PlanKnowledge): Plan {
  const referencesOf = (address: Address): readonly Address[] => outline.desired.get(address)?.references ?? []
  const after = prerequisites(
    outline.changes,
    referencesOf,
    (address) => outline.applied.get(address)?.references ?? [],
  )
  const rules = gatingRules(outline.changes, known.pools)
  const governors = input.genesis ? [] : governorsOf(outline.changes, known.pools)
  const unapplied = new Set<Address>()
  const changes = outline.changes.map((change): PlannedChange => {
    const resource = outline.desired.get(change.address) ?? null
    const planned = gateChange(input, change, resource, after.get(change.address) ?? [], known, unapplied)
    if (!willApply(planned)) unapplied.add(change.address)
    else
      known.pools.replace(
        change.address,
        change.addressBefore,
        governingObject(change, known.contents(change).after, known.pools, input.source.commit),
      )
    return planned
  })
  const core = {
    deployment: input.actual.deployment.deployment_id,
    engine: engineVersion,
    changes,
    readSet: readSetOf(outline, input, governors),
    rules,
  }
  return {
    ...core,
    id: planId(core),
    source: input.source,
    genesis: input.genesis,
    createdAt: input.now.toISOString(),
    expiresAt: new Date(input.now.getTime() + planLifetimeMs).toISOString(),
    backtest: known.backtest as Plan['backtest'],
    drifted: outline.drifted.map((object) => ({ address: object.address, drift: object.drift! })),
    warnings: known.warnings,
  }
}

function gateChange(
  input: PlanInput,
  change: Change,
  resource: DesiredResource | null,
  after: readonly Address[],
  known: PlanKnowledge,
  unapplied: ReadonlySet<Address>,
): PlannedChange {
  const contents = known.contents(change)
  const authority = classifyChange(change, contents, known.pools, known.schemaOf)
  const verdict = verdictOf(change, authority, contents, input.proposer, known.pools, input.now.getTime())
  return {
    ...change,
    kind: kindOf(change.address),
    heals: isHeal(change),
    digest: changeDigest(change),
    standing: standingOf(input, change, resource, after, verdict, known, unapplied),
    authority,
    verdict: verdict as unknown as PlannedChange['verdict'],
    authors: known.authors(change),
    source: resource?.source ?? null,
    references: resource?.references ?? [],
    after,
  }
}

function standingOf(
  input: PlanInput,
  change: Change,
  resource: DesiredResource | null,
  after: readonly Address[],
  verdict: Verdict,
  known: PlanKnowledge,
  unapplied: ReadonlySet<Address>,
): Standing {
  const suspension = input.actual.suspensions.get(change.addressBefore ?? change.address)
  if (suspension) return { kind: 'suspended', reason: suspension.reason, until: suspension.until }
  const waiting = known.past.waiting(change)
  if (waiting) return { kind: 'waiting', actionId: waiting.action_id }
  const on = after.find((address) => unapplied.has(address)) ?? blockedBy(input, resource)
  if (on) return { kind: 'withheld', on }
  const settled = known.past.settled(change, verdict.policy_digest)
  if (!settled) return { kind: 'proposed' }
  if (known.retry.has(change.address)) return { kind: 'proposed', despite: settled.action_id }
  return { kind: 'settled', outcome: settled.state, receiptId: settled.receipt_id! }
}

/** In drift mode `block`, what depends on a drifted object stops until somebody has looked at it. */
function blockedBy(input: PlanInput, resource: DesiredResource | null): Address | undefined {
  return resource?.references.find((address) => {
    if (driftModeOf(input, address) !== 'block') return false
    return input.actual.objects.some((object) => object.address === address && object.drift !== null)
  })
}

function willApply(change: PlannedChange): boolean {
  if (change.standing.kind !== 'proposed') return false
  const verdict = change.verdict as unknown as Verdict
  return (
    verdict.decision === 'ALLOW' ||
    (verdict.decision === 'ALERT' && verdict.holds.every((hold) => hold.mode === 'notify'))
  )
}

function gatingRules(changes: readonly Change[], pools: Pools): { [slug: string]: Digest } {
  const rules: { [slug: string]: Digest } = {}
  for (const change of changes) {
    const isTenant = kindOf(change.address) === 'Tenant'
    rules[isTenant ? `${slugOf(change.address)}/Tenant` : slugOf(change.address)] ??= pools.ruleSetFor(
      change.address,
    ).digest
  }
  return rules
}

/** The policies that gate any of these changes. */
export function governorsOf(changes: readonly Change[], pools: Pools): Address[] {
  const bySlug = new Map<string, Address[]>()
  for (const { address } of changes) {
    const place = kindOf(address) === 'Tenant' ? platformSlug : slugOf(address)
    if (!bySlug.has(place)) bySlug.set(place, pools.governors(address))
  }
  return [...bySlug.values()].flat()
}

/** The objects a plan changes, those they refer to, and the policies that gate them, as they are applied now. */
function readSetOf(outline: PlanOutline, input: PlanInput, governors: readonly Address[]): ReadObject[] {
  const addresses = new Set<Address>(governors)
  for (const change of outline.changes) {
    addresses.add(change.address)
    if (change.addressBefore) addresses.add(change.addressBefore)
    for (const reference of outline.desired.get(change.address)?.references ?? []) addresses.add(reference)
  }
  const applied = new Map<Address, AppliedObject>()
  for (const object of [...input.actual.objects, ...input.lost]) applied.set(object.address, object)
  return [...addresses].sort().map((address) => readObject(address, applied.get(address), input.actual.tombstones))
}

export function readObject(
  address: Address,
  object: AppliedObject | undefined,
  tombstones: ReadonlyMap<Address, number>,
): ReadObject {
  if (object) return { address, generation: object.generation, digest: object.digest }
  return { address, generation: tombstones.get(address) ?? 0, digest: null }
}

export function driftModeOf(input: Pick<PlanInput, 'drift'>, address: Address): DriftMode {
  return slugOf(address) === platformSlug ? input.drift.platform : input.drift.tenants
}

export function governingObject(change: Change, content: ResourceContent | null, pools: Pools, commit: string | null) {
  if (change.digestAfter === null || content === null) return null
  const owner = pools.factsOf(slugOf(change.address)).id
  return { address: change.address, owner, commit, digest: change.digestAfter, content }
}

function labelled(object: AppliedObject | ActualObject): { address: Address; labels: { [key: string]: string } } {
  return { address: object.address, labels: 'labels' in object ? { ...object.labels } : {} }
}
