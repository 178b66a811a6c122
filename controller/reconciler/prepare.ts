import { kindInfo } from '../../schemas/index.ts'
import { type BrakeFinding, judgeDeletions } from '../domain/brakes.ts'
import type { Change } from '../domain/change.ts'
import type { ChangeContents } from '../domain/classify.ts'
import type { Address, Digest, TenantId } from '../domain/ids.ts'
import { judgeLockOut } from '../domain/lock-out.ts'
import type { Plan, PlannedChange } from '../domain/plan.ts'
import type { ResourceContent } from '../domain/resource.ts'
import { inScope, type Scope } from '../domain/scope.ts'
import { isGenesis } from '../executor/config/genesis.ts'
import type { Material } from '../executor/config/run.ts'
import type { Database } from '../store/connect.ts'
import type { Actor } from '../tenancy/actor.ts'
import { type Actual, findLostObjects, readApplied, tenantOf, withProtection } from './actual.ts'
import { findAuthors } from './authors.ts'
import { backtestChanges } from './backtest.ts'
import type { Desired, Provenance } from './desired.ts'
import { refuseForeignChanges } from './foreign-changes.ts'
import { type PastActions, readPastActions } from './past-actions.ts'
import { completePlan, outlinePlan, type PlanInput, type PlanOutline } from './plan.ts'
import { refuseChangedVersions, withoutReferenced } from './promises.ts'
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

/** Reads what else a plan is made of, and makes it. Nothing is written. */
export async function preparePlan(
  database: Database,
  actor: Actor,
  desired: Desired,
  actual: Actual,
  request: PlanRequest,
): Promise<PreparedPlan> {
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
  const found = withoutReferenced(outlinePlan(inputs), actual, request.scope)
  const outline: PlanOutline = request.refreshOnly ? { ...found, changes: [] } : found
  const provenance = await provenanceFor(desired, outline.changes)
  const input: PlanInput = { ...inputs, source: provenance.source }
  refuseForeignChanges(actor, actual, outline.changes)
  const contents = await loadContents(database, desired, actual, outline)
  await refuseChangedVersions(database, actual, outline.changes, contents)
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
    warnings: unknownTargets(request.scope, outline),
  })
  const isFirst = actual.deployment.genesis_state === 'awaited'
  return {
    plan,
    brakes: [
      ...judgeDeletions(
        {
          ...actual,
          changes: plan.changes,
          applied: withProtection(actual.objects, plan.changes, contents),
          desiredCount: resources.length,
        },
        settings.brakes,
      ),
      ...(plan.changes.length === 0 ? [] : judgeLockOut(isFirst ? null : before, after, request.now.getTime())),
    ],
    actual,
    past,
    settings,
    contents,
    material: (change) => materialOf(desired, change, contents(change)),
    looksAt: (address) => inScope(request.scope, outline.targets, { address, labels: {} }),
  }
}

/** A misspelt target plans nothing, and would look converged. */
function unknownTargets({ targets }: Scope, { desired, applied }: PlanOutline): string[] {
  const unknown = targets.filter((address) => !desired.has(address) && !applied.has(address))
  return unknown.map((address) => `nothing is wanted or applied at the target \`${address}\``)
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

async function materialOf(desired: Desired, change: PlannedChange, contents: ChangeContents): Promise<Material> {
  const files = new Map<Digest, Buffer>()
  if (change.digestAfter !== null) {
    for (const digest of Object.values(change.source?.files ?? {}))
      files.set(digest, await desired.repository.file(digest))
  }
  return { content: contents.after, before: contents.before, files }
}
