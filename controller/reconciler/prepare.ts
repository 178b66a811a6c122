import { kindInfo } from '../../schemas/index.ts'
import { kindOf } from '../domain/address.ts'
import { type BrakeFinding, judgeDeletions } from '../domain/brakes.ts'
import { type Change, verbOf } from '../domain/change.ts'
import type { ChangeContents } from '../domain/classify.ts'
import { FibricError } from '../domain/errors.ts'
import type { Address, Digest, TenantId } from '../domain/ids.ts'
import { judgeLockOut } from '../domain/lock-out.ts'
import type { Plan, PlannedChange } from '../domain/plan.ts'
import type { ResourceContent } from '../domain/resource.ts'
import { inScope, type Scope } from '../domain/scope.ts'
import { isGenesis } from '../executor/config/genesis.ts'
import type { Material } from '../executor/config/run.ts'
import type { Database } from '../store/connect.ts'
import type { Actor } from '../tenancy/actor.ts'
import { type Actual, findLostObjects, readActual, readApplied, tenantOf } from './actual.ts'
import { findAuthors } from './authors.ts'
import { backtestChanges } from './backtest.ts'
import type { Desired, Provenance } from './desired.ts'
import { type PastActions, readPastActions } from './past-actions.ts'
import { completePlan, outlinePlan, type PlanInput, type PlanOutline } from './plan.ts'
import { readRulesFor, standingAfter } from './rules-around.ts'
import { type DeploymentSettings, settingsOf } from './settings.ts'
import { allowedSigners } from './signers.ts'

export interface PlanRequest {
  readonly scope: Scope
  /** Plan the deletion of everything in scope. */
  readonly destroy: boolean
  /** Look at drift only. */
  readonly refreshOnly: boolean
  /** Propose the repair of every drifted object in scope. */
  readonly healAll: boolean
  /** Addresses whose refused changes are asked for again. */
  readonly retry: readonly Address[]
  readonly now: Date
}

/** A plan, and what carrying it out or showing it needs beside it. */
export interface PreparedPlan {
  readonly plan: Plan
  readonly brakes: readonly BrakeFinding[]
  readonly actual: Actual
  readonly past: PastActions
  readonly settings: DeploymentSettings
  readonly contents: (change: Change) => ChangeContents
  readonly material: (change: PlannedChange) => Promise<Material>
  readonly looksAt: (address: Address) => boolean
}

/** Reads everything a plan is made of, and makes it. Nothing is written. */
export async function preparePlan(
  database: Database,
  actor: Actor,
  desired: Desired,
  request: PlanRequest,
): Promise<PreparedPlan> {
  const actual = await readActual(database, request.now)
  const settings = await readSettings(database, actual, desired)
  const resources = request.destroy ? [] : desired.repository.resources
  const fresh = freshAddresses(actual, resources)
  const inputs: Omit<PlanInput, 'source'> = {
    desired: resources,
    actual,
    lost: await findLostObjects(database, actual, fresh),
    scope: request.scope,
    proposer: actor.principal,
    drift: settings.drift,
    healAll: request.healAll,
    now: request.now,
    genesis: isGenesis(actual.deployment, request.now.getTime()),
  }
  const found = outlinePlan(inputs)
  const outline: PlanOutline = request.refreshOnly ? { ...found, changes: [] } : found
  const provenance = await provenanceFor(desired, outline.changes)
  const input: PlanInput = { ...inputs, source: provenance.source }
  refuseForeignScope(actor, actual, outline.changes)
  const contents = await loadContents(database, desired, actual, outline)
  refuseChangedVersions(outline.changes, contents)
  const rules = await readRulesFor(database, actual, outline.changes, input.genesis, contents, request.now)
  const past = await readPastActions(database, tenantIds(actual), outline.changes)
  const applied = new Map(actual.objects.map((object) => [object.address, object]))
  const signers = allowedSigners(rules.people, settings.signers)
  const authors = await findAuthors(
    desired,
    provenance,
    outline.changes,
    outline.desired,
    applied,
    rules.people,
    signers,
    actor,
  )
  const before = { pools: rules.pools.copy(), people: rules.people.copy() }
  const after = standingAfter(rules, outline.changes, contents)
  const plan = completePlan(input, outline, {
    pools: rules.pools,
    schemaOf: (kind) => kindInfo(kind)!.schema,
    contents,
    past,
    authors: (change) => authors.get(change.address) ?? [],
    backtest: input.genesis ? null : await backtestChanges(database, actual, outline.changes, contents, request.now),
    retry: new Set(request.retry),
    warnings: [],
  })
  const isFirst = actual.deployment.genesis_state === 'awaited'
  return {
    plan,
    brakes: [
      ...judgeDeletions(
        { ...actual, changes: plan.changes, applied: actual.objects, desiredCount: resources.length },
        settings.brakes,
      ),
      ...(plan.changes.length === 0 ? [] : judgeLockOut(isFirst ? null : before, after, request.now.getTime())),
    ],
    actual,
    past,
    settings,
    contents,
    material: (change) => materialOf(desired, change, contents(change)),
    looksAt: (address) => inScope(request.scope, null, { address, labels: {} }) && request.scope.targets.length === 0,
  }
}

/** What counts while the plan is judged is the Deployment as applied; at genesis the one being applied. */
async function readSettings(database: Database, actual: Actual, desired: Desired): Promise<DeploymentSettings> {
  const applied = actual.objects.find((object) => object.kind === 'Deployment')
  if (applied) {
    const contents = await readApplied(database, [applied])
    return settingsOf(contents.get(applied.digest) ?? null)
  }
  const wanted = desired.repository.resources.find((resource) => resource.kind === 'Deployment')
  const atGenesis = actual.deployment.genesis_state === 'awaited'
  return settingsOf(wanted && atGenesis ? await desired.repository.content(wanted.address) : null)
}

/** A plan without changes cites nothing, so it need not know where its content comes from. */
async function provenanceFor(desired: Desired, changes: readonly Change[]): Promise<Provenance> {
  if (changes.length > 0) return desired.provenance()
  return { rev: null, uncommitted: new Set(), source: { kind: 'directory', commit: null, tree: desired.tree } }
}

function freshAddresses(actual: Actual, resources: Desired['repository']['resources']): Address[] {
  if (actual.deployment.genesis_state === 'awaited') return []
  const applied = new Set(actual.objects.map((object) => object.address))
  return resources.filter((resource) => !applied.has(resource.address)).map((resource) => resource.address)
}

function tenantIds(actual: Actual): TenantId[] {
  return [...actual.domains.values()].map((domain) => domain.tenant_id)
}

/** A key of one tenant changes that tenant alone. */
export function refuseForeignScope(actor: Actor, actual: Pick<Actual, 'domains'>, changes: readonly Change[]): void {
  if (actor.tenantId === null) return
  const foreign = changes.find((change) => tenantOf(actual, change.address) !== actor.tenantId)
  if (!foreign) return
  throw new FibricError('INSUFFICIENT_SCOPE', `the key of \`${actor.person}\` may not change \`${foreign.address}\``, {
    hint: 'narrow the plan to your own tenant: --tenant SLUG',
  })
}

async function loadContents(
  database: Database,
  desired: Desired,
  actual: Actual,
  outline: PlanOutline,
): Promise<(change: Change) => ChangeContents> {
  const places = outline.changes.flatMap((change) => {
    const tenantId = tenantOf(actual, change.address)
    return change.digestBefore === null || tenantId === null ? [] : [{ tenantId, digest: change.digestBefore }]
  })
  const applied = places.length === 0 ? new Map<Digest, ResourceContent>() : await readApplied(database, places)
  const after = new Map<Address, ResourceContent>()
  for (const change of outline.changes) {
    if (change.digestAfter !== null) after.set(change.address, await desired.repository.content(change.address))
  }
  return (change) => {
    const wanted = after.get(change.address) ?? null
    const stored = change.digestBefore === null ? null : (applied.get(change.digestBefore) ?? null)
    // Content that is gone from the store is known all the same when the repository holds it, to the digest.
    return { after: wanted, before: stored ?? (change.digestBefore === change.digestAfter ? wanted : null) }
  }
}

/** A published version never changes, under any rule. */
function refuseChangedVersions(changes: readonly Change[], contents: (change: Change) => ChangeContents): void {
  const changed = changes.filter((change) => {
    if (!kindInfo(kindOf(change.address))?.versioned || verbOf(change) !== 'update') return false
    const { before, after } = contents(change)
    return before !== null && JSON.stringify(before.spec) !== JSON.stringify(after?.spec)
  })
  if (changed.length === 0) return
  const names = changed.map((change) => `\`${change.address}\``).join(', ')
  throw new FibricError('VERSION_IMMUTABLE', `a published version never changes: ${names}`, {
    hint: 'publish the change under a new version',
    details: { addresses: changed.map((change) => change.address) },
  })
}

async function materialOf(desired: Desired, change: PlannedChange, contents: ChangeContents): Promise<Material> {
  const files = new Map<Digest, Buffer>()
  if (change.digestAfter !== null) {
    for (const digest of Object.values(change.source?.files ?? {}))
      files.set(digest, await desired.repository.file(digest))
  }
  return { content: contents.after, before: contents.before, files }
}
