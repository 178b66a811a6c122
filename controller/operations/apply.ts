import { type BrakeFinding, judgeDeletions } from '../domain/brakes.ts'
import { FibricError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { type Plan, staleObjects } from '../domain/plan.ts'
import type { SavedPlan } from '../domain/plan-file.ts'
import type { Engine } from '../engine.ts'
import { applyPlan, deletionsIn, sequenceDomains } from '../executor/config/apply.ts'
import { enterGenesis, leaveGenesis, platformPolicies } from '../executor/config/genesis.ts'
import { type ChangeOutcome, type Material, newId, type Run } from '../executor/config/run.ts'
import { type Actual, readActual, readApplied } from '../reconciler/actual.ts'
import { readPastActions } from '../reconciler/past-actions.ts'
import { readObject } from '../reconciler/plan.ts'
import type { PreparedPlan } from '../reconciler/prepare.ts'
import { settingsOf } from '../reconciler/settings.ts'
import { requireScope } from '../tenancy/actor.ts'
import type { Planned } from './plan.ts'
import { explainStale } from './stale.ts'

export interface ApplyOptions {
  /** Confirms brakes: the exact number of deletions in the plan. */
  readonly confirmDeletes: number | null
  readonly progress?: (done: number, total: number) => void
}

export interface Applied {
  readonly plan: Plan
  readonly outcomes: readonly ChangeOutcome[]
}

type Applicable = Pick<PreparedPlan, 'plan' | 'actual' | 'past' | 'settings' | 'material' | 'looksAt'>

/** Carries out a plan that was just made. */
export async function applyPlanned(engine: Engine, planned: Planned, options: ApplyOptions): Promise<Applied> {
  requireScope(engine.actor, 'config:write')
  judgeBrakes(planned.brakes, planned.plan, options)
  return carryOut(engine, planned, options)
}

/** Carries out a saved plan: refused when an object it rests on has moved, which is named. */
export async function applySaved(engine: Engine, saved: SavedPlan, options: ApplyOptions): Promise<Applied> {
  requireScope(engine.actor, 'config:write')
  const { plan } = saved
  const actual = await readActual(engine.database, engine.clock())
  await refuseStale(engine, plan, actual)
  const settings = await currentSettings(engine, actual)
  const desiredCount = actual.objects.length + plan.changes.length - 2 * deletionsIn(plan.changes)
  const brakes = judgeDeletions(
    { ...actual, changes: plan.changes, applied: actual.objects, desiredCount },
    settings.brakes,
  )
  judgeBrakes(brakes, plan, options)
  const tenants = [...actual.domains.values()].map((domain) => domain.tenant_id)
  const past = await readPastActions(engine.database, tenants, plan.changes)
  const before = await readBefore(engine, actual, plan)
  const material = async (change: Plan['changes'][number]): Promise<Material> => ({
    content: change.digestAfter === null ? null : (saved.documents[change.digestAfter] ?? null),
    before: change.digestBefore === null ? null : (before.get(change.digestBefore) ?? null),
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
    { plan, actual, past, settings, material, looksAt: (address) => changed.has(address) },
    options,
  )
}

async function carryOut(engine: Engine, input: Applicable, options: ApplyOptions): Promise<Applied> {
  const { plan, actual } = input
  const run = openRun(engine, input)
  const isGenesis = plan.genesis
  if (plan.changes.length === 0 && input.past.open.length === 0 && actual.deployment.genesis_state !== 'open') {
    return { plan, outcomes: [] }
  }
  if (isGenesis && plan.changes.length > 0)
    await enterGenesis(run, plan, platformPolicies(actual.objects, plan.changes))
  const outcomes = await applyPlan(run, {
    plan,
    material: input.material,
    waiting: input.past.open,
    looksAt: input.looksAt,
    progress: options.progress ?? (() => {}),
  })
  if (actual.deployment.genesis_state !== 'closed' && leavesNothing(plan, outcomes)) await leaveGenesis(run)
  await sequenceDomains(run, touchedTenants(run, outcomes))
  return { plan, outcomes }
}

export function openRun(engine: Engine, input: Pick<Applicable, 'plan' | 'actual' | 'settings'>): Run {
  const { plan, actual, settings } = input
  return {
    database: engine.database,
    actor: engine.actor,
    configPlanId: plan.id,
    correlationId: newId<string>('correlation', engine.clock()),
    source: plan.source as unknown as JsonObject,
    genesis: plan.genesis,
    approvalsExpireInMs: settings.approvalsExpireInMs,
    clock: engine.clock,
    domains: new Map(actual.domains),
    planIds: new Map(),
    outcomes: new Map(),
    rules: null,
  }
}

/** Everything of the first plan is applied: there is nothing left that `bootstrap` could still let through. */
function leavesNothing(plan: Plan, outcomes: readonly ChangeOutcome[]): boolean {
  const whole = plan.changes.length === outcomes.length
  return whole && outcomes.every(({ outcome }) => outcome === 'applied' || outcome === 'unchanged')
}

function touchedTenants(run: Run, outcomes: readonly ChangeOutcome[]): Set<TenantId> {
  return new Set(outcomes.length === 0 ? [] : [...run.domains.values()].map((domain) => domain.tenant_id))
}

function judgeBrakes(brakes: readonly BrakeFinding[], plan: Plan, options: ApplyOptions): void {
  const deletions = deletionsIn(plan.changes)
  const confirmed = options.confirmDeletes === deletions
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

async function refuseStale(engine: Engine, plan: Plan, actual: Actual): Promise<void> {
  const objects = new Map(actual.objects.map((object) => [object.address, object]))
  const stale = staleObjects(plan.readSet, (address) => readObject(address, objects.get(address), actual.tombstones))
  // A killed attempt of this very plan moved them to where the plan wants them: that is no reason to refuse.
  const wanted = new Map(plan.changes.map((change) => [change.address, change]))
  const foreign = stale.filter(({ address, now }) => {
    const change = wanted.get(address)
    return !(change && now.generation === change.generationBefore + 1 && now.digest === change.digestAfter)
  })
  if (foreign.length > 0) throw await explainStale(engine, foreign, actual)
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
