import type { ActionState } from '../domain/action-machine.ts'
import { FibricError } from '../domain/errors.ts'
import type { Verdict } from '../domain/verdict.ts'
import type { Engine } from '../engine.ts'
import { carryOutVeto, giveAnswer, resumeAction } from '../executor/config/answer.ts'
import { noLongerWaiting } from '../executor/config/answers.ts'
import { continueDependents } from '../executor/config/continue.ts'
import { isGenesis } from '../executor/config/genesis.ts'
import type { ChangeOutcome, Run } from '../executor/config/run.ts'
import { sequenceLedgers } from '../ledger/sequence.ts'
import { type Actual, readActual, readApplied } from '../reconciler/actual.ts'
import { settingsOf } from '../reconciler/settings.ts'
import { type ActionRow, readActionsById, readOpenActions } from '../store/actions.ts'
import { type ApprovalRow, readApprovals } from '../store/approvals.ts'
import type { DomainRow } from '../store/domains.ts'
import { type ExecutionPlanRow, readExecutionPlans, readPlansById } from '../store/execution-plans.ts'
import { requireScope } from '../tenancy/actor.ts'
import { tenantIdsOf, visibleDomains } from './domains.ts'
import { carryOutEffects } from './effects.ts'

export interface ShownAction extends ActionRow {
  readonly tenant: string
  readonly approvals: readonly ApprovalRow[]
}

export interface ShownPlan extends ExecutionPlanRow {
  readonly tenant: string
  readonly actions: readonly ShownAction[]
}

/** Actions that wait for a person or for another action, oldest first. */
export async function listWaiting(engine: Engine, tenant: string | null): Promise<ShownAction[]> {
  requireScope(engine.actor, 'plans:read')
  const domains = await visibleDomains(engine, tenant)
  const tenants = tenantIdsOf(domains)
  const actions = await engine.database.asWorker(tenants, (tx) => readOpenActions(tx, tenants), { access: 'read only' })
  return withApprovals(engine, domains, actions)
}

/** Execution plans, newest first: `limit` of them, or all; those before the id `before`, if one is given. */
export async function listPlans(
  engine: Engine,
  tenant: string | null,
  limit: number | null,
  before: string | null = null,
): Promise<(ExecutionPlanRow & { readonly tenant: string })[]> {
  requireScope(engine.actor, 'plans:read')
  const domains = await visibleDomains(engine, tenant)
  const tenants = tenantIdsOf(domains)
  const rows = await engine.database.asWorker(
    tenants,
    (tx) => readExecutionPlans(tx, tenants, before, limit ?? 1_000_000),
    { access: 'read only' },
  )
  return rows.map((row) => ({ ...row, tenant: slugIn(domains, row.tenant_id) }))
}

/** The execution plans an id names: `pl_…`, `act_…`, the digest of a configuration plan, or a correlation id. */
export async function showPlans(engine: Engine, id: string): Promise<ShownPlan[]> {
  requireScope(engine.actor, 'plans:read')
  const { domains, actions } = await actionsNamed(engine, id)
  const tenants = tenantIdsOf(domains)
  const planIds = [...new Set(actions.map((action) => action.plan_id))]
  const plans = await engine.database.asWorker(tenants, (tx) => readPlansById(tx, tenants, planIds), {
    access: 'read only',
  })
  const shown = await withApprovals(engine, domains, actions)
  return plans.map((plan) => ({
    ...plan,
    tenant: slugIn(domains, plan.tenant_id),
    actions: shown.filter((action) => action.plan_id === plan.plan_id && action.tenant_id === plan.tenant_id),
  }))
}

export interface Answered {
  readonly action: ActionRow
  /** What became of it: carried out, still waiting for others, or ended by the veto. */
  readonly outcome: ChangeOutcome['outcome'] | ActionState
  readonly reasons: readonly string[]
}

/**
 * Answers for the held actions an id names: of a plan, those that this person may answer. The approval that completes a
 * quorum carries the change out before this returns, and what waited for it goes on.
 */
export async function answerPlans(
  engine: Engine,
  id: string,
  decision: 'approve' | 'veto',
  reason: string | null,
): Promise<Answered[]> {
  requireScope(engine.actor, 'plans:approve')
  const { domains, actions } = await actionsNamed(engine, id)
  const held = actions.filter((action) => action.state === 'held')
  if (held.length === 0) throw noLongerWaiting(actions[0]!)
  const actual = await readActual(engine.database, engine.clock())
  const answered: Answered[] = []
  let refusal: unknown = null
  for (const action of held) {
    const domain = domains.find((candidate) => candidate.tenant_id === action.tenant_id)!
    try {
      answered.push(await answerOne(engine, actual, domain, action, decision, reason))
    } catch (error) {
      // Approving a plan approves those of its actions that this person may approve.
      if (!(error instanceof FibricError) || held.length === 1) throw error
      refusal = error
    }
  }
  if (answered.length === 0) throw refusal
  return answered
}

async function answerOne(
  engine: Engine,
  actual: Actual,
  domain: DomainRow,
  action: ActionRow,
  decision: 'approve' | 'veto',
  reason: string | null,
): Promise<Answered> {
  const run = await runFor(engine, actual, action)
  if (action.expires_at !== null && Date.parse(action.expires_at) <= engine.clock().getTime()) {
    throw new FibricError(
      'STATE_CONFLICT',
      `\`${action.action_id}\` waited until ${action.expires_at}, which is over`,
      {
        hint:
          action.change_digest === null
            ? 'bring its event again: fibric events replay'
            : 'propose it again: fibric apply --retry ADDRESS',
      },
    )
  }
  await giveAnswer(run, domain, action, { decision, reason })
  try {
    if (action.change_digest === null) return await answerEffect(engine, action)
    if (decision === 'veto') {
      const ended = await carryOutVeto(run, domain, action, { person: engine.actor.person, reason })
      await continueDependents(run)
      return { action: ended, outcome: 'vetoed', reasons: [ended.cause ?? ''] }
    }
    const outcome = await resumeAction(run, domain, action)
    if (outcome.outcome !== 'held') await continueDependents(run)
    return { action, outcome: outcome.outcome, reasons: outcome.reasons }
  } finally {
    await sequenceLedgers(engine.database, engine.clock().toISOString())
  }
}

/** The executor of effects holds the answers against the rules found now, and carries the action out or ends it. */
async function answerEffect(engine: Engine, action: ActionRow): Promise<Answered> {
  const [now = action] = await carryOutEffects(engine, action.tenant_id, [action.action_id])
  const verdict = now.verdict as unknown as Verdict | null
  const reasons = now.cause === null && now.state === 'blocked' ? (verdict?.reasons ?? []) : [now.cause ?? '']
  return { action: now, outcome: now.state, reasons: reasons.filter((each) => each !== '') }
}

/** The run an action belongs to, taken up again by whoever answers: plan, correlation and source are the proposer's. */
async function runFor(engine: Engine, actual: Actual, action: ActionRow): Promise<Run> {
  const [plan] = await engine.database.asWorker(
    [action.tenant_id],
    (tx) => readPlansById(tx, [action.tenant_id], [action.plan_id]),
    {
      access: 'read only',
    },
  )
  const deployment = actual.objects.find((object) => object.kind === 'Deployment')
  const contents = deployment ? await readApplied(engine.database, [deployment]) : new Map()
  return {
    database: engine.database,
    actor: engine.actor,
    configPlanId: plan!.config_plan_id,
    correlationId: plan!.correlation_id,
    source: plan!.source,
    genesis: isGenesis(actual.deployment, engine.clock().getTime()),
    approvalsExpireInMs: settingsOf(deployment ? (contents.get(deployment.digest) ?? null) : null).approvalsExpireInMs,
    clock: engine.clock,
    domains: new Map(actual.domains),
    planIds: new Map(),
    outcomes: new Map(),
    restored: () => null,
    atTheEnd: (standing) => standing,
    brakesConfirmed: false,
    rules: null,
  }
}

async function actionsNamed(engine: Engine, id: string): Promise<{ domains: DomainRow[]; actions: ActionRow[] }> {
  const domains = await visibleDomains(engine, null)
  const tenants = tenantIdsOf(domains)
  const actions = await engine.database.asWorker(tenants, (tx) => readActionsById(tx, tenants, id), {
    access: 'read only',
  })
  if (actions.length > 0) return { domains, actions }
  throw new FibricError('NOT_FOUND', `there is no plan or action \`${id}\``, {
    hint: 'see them with: fibric plans list',
  })
}

async function withApprovals(
  engine: Engine,
  domains: readonly DomainRow[],
  actions: readonly ActionRow[],
): Promise<ShownAction[]> {
  const tenants = tenantIdsOf(domains)
  const ids = actions.map((action) => action.action_id)
  const approvals = await engine.database.asWorker(tenants, (tx) => readApprovals(tx, tenants, ids), {
    access: 'read only',
  })
  return actions.map((action) => ({
    ...action,
    tenant: slugIn(domains, action.tenant_id),
    approvals: approvals.filter((approval) => approval.action_id === action.action_id),
  }))
}

function slugIn(domains: readonly DomainRow[], tenantId: string): string {
  return domains.find((domain) => domain.tenant_id === tenantId)?.slug ?? tenantId
}
