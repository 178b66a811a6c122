import { kindOf, slugOf } from '../domain/address.ts'
import { type BrakeFinding, judgeDeletions } from '../domain/brakes.ts'
import { type Change, verbOf } from '../domain/change.ts'
import type { ChangeContents } from '../domain/classify.ts'
import { FibricError } from '../domain/errors.ts'
import type { Address } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { judgeLockOut, type Standing } from '../domain/lock-out.ts'
import { type Plan, type ReadObject, staleObjects } from '../domain/plan.ts'
import type { SavedPlan } from '../domain/plan-file.ts'
import type { Pools } from '../domain/pools.ts'
import { ledgerSlugOf } from '../domain/sequence.ts'
import type { Engine } from '../engine.ts'
import { applyPlan, deletionsIn } from '../executor/config/apply.ts'
import { enterGenesis, isGenesis, leaveGenesis, platformPolicies } from '../executor/config/genesis.ts'
import { type ChangeOutcome, type Fate, type Material, newId, type Run } from '../executor/config/run.ts'
import { sequenceLedgers } from '../ledger/sequence.ts'
import { type Actual, readActual, readApplied, withProtection } from '../reconciler/actual.ts'
import { refuseForeignChanges } from '../reconciler/foreign-changes.ts'
import { readPastActions } from '../reconciler/past-actions.ts'
import { governorsOf, readObject } from '../reconciler/plan.ts'
import type { PreparedPlan } from '../reconciler/prepare.ts'
import { readRulesFor, restoredBy, standingAfter } from '../reconciler/rules-around.ts'
import { settingsOf } from '../reconciler/settings.ts'
import { standingNow } from '../reconciler/standing-now.ts'
import { requireScope } from '../tenancy/actor.ts'
import { offBoardDeleted } from './off-boarding.ts'
import type { Planned } from './plan.ts'
import { explainStale } from './stale.ts'

export type { ChangeOutcome, Fate }

export interface ApplyOptions {
  /** Confirms brakes: the exact number of deletions in the plan. */
  readonly confirmDeletes: number | null
  readonly progress?: (done: number, total: number) => void
}

export interface Applied {
  readonly plan: Plan
  readonly outcomes: readonly ChangeOutcome[]
}

/** The exit code of an application: the first that holds of 3 (some blocked), 4 (some held), 0. */
export function exitCodeOf(outcomes: readonly Pick<ChangeOutcome, 'outcome'>[]): 0 | 3 | 4 {
  const any = (...fates: readonly Fate[]): boolean => outcomes.some((each) => fates.includes(each.outcome))
  if (any('blocked', 'skipped', 'settled')) return 3
  return any('held', 'planned', 'waiting') ? 4 : 0
}

type Applicable = Pick<PreparedPlan, 'plan' | 'contents' | 'actual' | 'past' | 'settings' | 'material' | 'looksAt'>

/** Carries out a plan that was just made. */
export async function applyPlanned(engine: Engine, planned: Planned, options: ApplyOptions): Promise<Applied> {
  requireScope(engine.actor, 'config:write')
  judgeBrakes(planned.brakes, planned.plan, options)
  return carryOut(engine, planned, options)
}

/** Carries out a saved plan: refused when an object it rests on has moved, which is named. */
export async function applySaved(engine: Engine, saved: SavedPlan, options: ApplyOptions): Promise<Applied> {
  requireScope(engine.actor, 'config:write')
  const actual = await readActual(engine.database, engine.clock())
  // Before anything is said of what moved: a tenant's key learns nothing of another's objects.
  refuseForeignChanges(engine.actor, actual, saved.plan.changes)
  await refuseStale(engine, saved.plan, actual)
  const settings = await currentSettings(engine, actual)
  const tenants = [...actual.domains.values()].map((domain) => domain.tenant_id)
  const past = await readPastActions(engine.database, tenants, saved.plan.changes)
  const changes = saved.plan.changes.map((change) => ({ ...change, standing: standingNow(change, past) }))
  const plan: Plan = { ...saved.plan, changes }
  const desiredCount = actual.objects.length + plan.changes.length - 2 * deletionsIn(plan.changes)
  const before = await readBefore(engine, actual, plan)
  const contents = (change: Change): ChangeContents => ({
    after: change.digestAfter === null ? null : (saved.documents[change.digestAfter] ?? null),
    before: change.digestBefore === null ? null : (before.get(change.digestBefore) ?? null),
  })
  const deletions = judgeDeletions(
    { ...actual, changes: plan.changes, applied: withProtection(actual.objects, plan.changes, contents), desiredCount },
    settings.brakes,
  )
  const rules = await readRulesFor(engine.database, actual, plan.changes, plan.genesis, contents, engine.clock())
  if (!plan.genesis) await refuseNewGovernors(engine, plan, actual, rules.pools)
  judgeBrakes([...deletions, ...judgeSavedLockOut(engine, actual, plan, rules, contents)], plan, options)
  const material = async (change: Plan['changes'][number]): Promise<Material> => ({
    content: contents(change).after,
    before: contents(change).before,
    files: new Map(
      Object.values(change.source?.files ?? {}).map((digest) => [
        digest,
        Buffer.from(saved.files[digest] ?? '', 'base64'),
      ]),
    ),
  })
  const changed = new Set(plan.changes.map((change) => change.address))
  // What waits for another change than this plan's is none of its business.
  return carryOut(
    engine,
    { plan, contents, actual, past, settings, material, looksAt: (address) => changed.has(address) },
    options,
  )
}

async function carryOut(engine: Engine, input: Applicable, options: ApplyOptions): Promise<Applied> {
  const { plan, actual } = input
  // A saved plan may have been made by somebody who sees more than whoever applies it.
  refuseForeignChanges(engine.actor, actual, plan.changes)
  const run = openRun(engine, input, isConfirmed(plan, options))
  if (plan.changes.length === 0 && input.past.open.length === 0 && actual.deployment.genesis_state !== 'open') {
    await sequenceLedgers(engine.database, engine.clock().toISOString())
    return { plan, outcomes: [] }
  }
  if (run.genesis && plan.changes.length > 0)
    await enterGenesis(run, plan, platformPolicies(actual.objects, plan.changes))
  const outcomes = await applyPlan(run, {
    plan,
    material: input.material,
    waiting: input.past.open,
    looksAt: input.looksAt,
    progress: options.progress ?? (() => {}),
  })
  const isOver = leavesNothing(plan, outcomes) || !isGenesis(actual.deployment, engine.clock().getTime())
  if (actual.deployment.genesis_state !== 'closed' && isOver) await leaveGenesis(run)
  if (plan.changes.some((change) => kindOf(change.address) === 'Tenant' && verbOf(change) === 'delete')) {
    await offBoardDeleted(engine, engine.actor.person)
  }
  await sequenceLedgers(engine.database, engine.clock().toISOString())
  return { plan, outcomes }
}

export function openRun(
  engine: Engine,
  input: Pick<Applicable, 'plan' | 'contents' | 'actual' | 'settings'>,
  brakesConfirmed: boolean,
): Run {
  const { plan, actual, settings } = input
  return {
    database: engine.database,
    actor: engine.actor,
    configPlanId: plan.id,
    correlationId: newId<string>('correlation', engine.clock()),
    source: plan.source as unknown as JsonObject,
    // A first plan that was carried out to the end may be applied again: it has nothing left to ask of `bootstrap`.
    genesis: plan.genesis && !plan.changes.every((change) => isTaken(change, readNow(actual))),
    approvalsExpireInMs: settings.approvalsExpireInMs,
    clock: engine.clock,
    domains: new Map(actual.domains),
    planIds: new Map(),
    outcomes: new Map(),
    restored: restoredBy(plan.changes, input.contents),
    atTheEnd: (standing, isAhead) => standingAfter(standing, plan.changes.filter(isComing(isAhead)), input.contents),
    brakesConfirmed,
    rules: null,
  }
}

/** What was settled or waits will not be carried out by this plan. */
function isComing(isAhead: (address: Address) => boolean) {
  return ({ address, standing }: Plan['changes'][number]): boolean => standing.kind === 'proposed' && isAhead(address)
}

/** Everything of the first plan is applied: there is nothing left that `bootstrap` could still let through. */
function leavesNothing(plan: Plan, outcomes: readonly ChangeOutcome[]): boolean {
  const whole = plan.changes.length === outcomes.length
  return whole && outcomes.every(({ outcome }) => outcome === 'applied' || outcome === 'unchanged')
}

function judgeBrakes(brakes: readonly BrakeFinding[], plan: Plan, options: ApplyOptions): void {
  const deletions = deletionsIn(plan.changes)
  const confirmed = isConfirmed(plan, options)
  const standing = brakes.filter((brake) => !(brake.confirmable && confirmed))
  if (standing.length === 0) return
  const [first] = standing
  const hint = standing.some((brake) => !brake.confirmable)
    ? 'set `deletionProtection: false` and apply that first'
    : `if that is meant: fibric apply --confirm-deletes ${deletions}`
  throw new FibricError('BRAKE', standing.map((brake) => brake.message).join('; '), {
    hint:
      options.confirmDeletes !== null && !confirmed
        ? `the plan deletes ${deletions}, not ${options.confirmDeletes}`
        : hint,
    details: { brakes: standing, first: first!.code },
  })
}

function isConfirmed(plan: Plan, { confirmDeletes }: ApplyOptions): boolean {
  return confirmDeletes === deletionsIn(plan.changes)
}

/** A plan file carries no brakes: who could approve may have changed since it was saved, so they are judged again. */
function judgeSavedLockOut(
  engine: Engine,
  actual: Actual,
  { changes }: Plan,
  rules: Standing,
  contents: (change: Change) => ChangeContents,
): BrakeFinding[] {
  if (changes.length === 0) return []
  const before = actual.deployment.genesis_state === 'awaited' ? null : rules
  return judgeLockOut(before, standingAfter(rules, changes, contents), engine.clock().getTime())
}

/** Policies that gate the plan now and did not when it was made: they are no part of its read-set. */
async function refuseNewGovernors(engine: Engine, plan: Plan, actual: Actual, pools: Pools): Promise<void> {
  const known = new Set([...plan.readSet, ...plan.changes].map(({ address }) => address))
  const now = readNow(actual)
  const absent = { generation: 0, digest: null }
  const fresh = governorsOf(plan.changes, pools).filter((address) => !known.has(address))
  if (fresh.length === 0) return
  const moved = [...new Set(fresh)].map((address) => ({ address, planned: { address, ...absent }, now: now(address) }))
  throw await explainStale(engine, moved, actual)
}

async function refuseStale(engine: Engine, plan: Plan, actual: Actual): Promise<void> {
  const stale = staleObjects(plan.readSet, readNow(actual))
  // A killed attempt of this very plan moved them to where the plan wants them: that is no reason to refuse.
  const movedByPlan = placesTaken(plan, readNow(actual))
  const foreign = stale.filter(({ address }) => !movedByPlan(address))
  if (foreign.length > 0) throw await explainStale(engine, foreign, actual)
}

function readNow(actual: Actual): (address: Address) => ReadObject {
  const objects = new Map(actual.objects.map((object) => [object.address, object]))
  return (address) => readObject(address, objects.get(address), actual.tombstones)
}

/** Whether a step of the plan that was taken already explains why an address is not as it was. */
function placesTaken(plan: Plan, now: (address: Address) => ReadObject): (address: Address) => boolean {
  const taken = plan.changes.filter((change) => isTaken(change, now))
  const places = new Set(
    taken.flatMap(({ address, addressBefore }) => (addressBefore ? [address, addressBefore] : [address])),
  )
  // A domain that is gone shows nothing of its own any more.
  const closed = new Set(
    taken
      .filter((change) => kindOf(change.address) === 'Tenant' && verbOf(change) === 'delete')
      .map(({ address }) => slugOf(address)),
  )
  return (address) => places.has(address) || closed.has(ledgerSlugOf(address))
}

/** Whether exactly this step was taken already. */
function isTaken(change: Change, now: (address: Address) => ReadObject): boolean {
  const { generation, digest } = now(change.address)
  return generation === change.generationBefore + 1 && digest === change.digestAfter
}

async function currentSettings(engine: Engine, actual: Actual) {
  const applied = actual.objects.find((object) => object.kind === 'Deployment')
  if (!applied) return settingsOf(null)
  return settingsOf((await readApplied(engine.database, [applied])).get(applied.digest) ?? null)
}

async function readBefore(engine: Engine, actual: Actual, plan: Plan) {
  const objects = new Map(actual.objects.map((object) => [object.address, object]))
  const places = plan.changes.flatMap((change) => {
    const object = objects.get(change.addressBefore ?? change.address)
    return object && change.digestBefore !== null ? [{ tenantId: object.tenantId, digest: change.digestBefore }] : []
  })
  return readApplied(engine.database, places)
}
