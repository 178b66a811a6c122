import { randomBytes } from 'node:crypto'
import { isTerminal } from '../domain/action-machine.ts'
import { FibricError } from '../domain/errors.ts'
import { ExpressionError, type ExpressionNames } from '../domain/expression.ts'
import { type ActionId, mintId, type PlanId } from '../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import { renderJson } from '../domain/render-json.ts'
import type { TenantFacts } from '../domain/rules.ts'
import type { Engine } from '../engine.ts'
import { cancelAction, killAction, resolveAction, type Word } from '../executor/effects/control.ts'
import { type Effect, effectOf } from '../executor/effects/effect.ts'
import { draftEffects, type PlanDraft } from '../executor/effects/propose.ts'
import { recordPlans } from '../executor/effects/record.ts'
import { RulesCache } from '../executor/effects/rules-cache.ts'
import { sequenceLedgers } from '../ledger/sequence.ts'
import { type ActionRow, readActionsById } from '../store/actions.ts'
import { readEffects, readOpenEffects } from '../store/effects.ts'
import { readStopped } from '../store/waits.ts'
import { requireScope } from '../tenancy/actor.ts'
import { connectorsOf } from './connections.ts'
import { tenantIdsOf, visibleAndGoneDomains } from './domains.ts'
import { carryOutEffects } from './effects.ts'

export type ActionInSight = ActionRow & { readonly tenant: string; readonly stopped: Stopped | null }

/** Who stopped what an action waits for, and why. */
export interface Stopped {
  readonly person: string
  readonly reason: string
}

/** Effects that have not ended: queued, held, under way, waiting, or in doubt; oldest first. */
export async function listActions(
  engine: Engine,
  tenant: string | null,
  state: string | null,
): Promise<ActionInSight[]> {
  requireScope(engine.actor, 'plans:read')
  const domains = await visibleAndGoneDomains(engine, tenant)
  const tenants = tenantIdsOf(domains)
  const slugs = new Map(domains.map((domain) => [domain.tenant_id, domain.slug]))
  const [rows, stopped] = await engine.database.asWorker(
    tenants,
    async (tx) => [await readOpenEffects(tx, tenants, state), await readStopped(tx, tenants)] as const,
    { access: 'read only' },
  )
  const stops = new Map(stopped.map(({ action_id: id, person, reason }) => [id, { person, reason }]))
  return rows.map((row) => ({
    ...row,
    tenant: slugs.get(row.tenant_id)!,
    stopped: stops.get(row.action_id) ?? null,
  }))
}

export function showAction(engine: Engine, id: string): Promise<ActionInSight> {
  requireScope(engine.actor, 'plans:read')
  return actionNamed(engine, id)
}

/** What a person may do to one action, each with a reason that goes into the ledger. */
export type Verb = 'cancel' | 'kill' | 'applied' | 'failed'

/** Cancels, kills or resolves an action; answers how it stands after that. */
export async function controlAction(engine: Engine, id: string, verb: Verb, reason: string): Promise<ActionInSight> {
  requireScope(engine.actor, 'actions:write')
  const action = await actionNamed(engine, id)
  const word: Word = {
    database: engine.database,
    clock: engine.clock,
    person: engine.actor.person,
    tenant: action.tenant_id,
    action: action.action_id,
    reason,
  }
  switch (verb) {
    case 'cancel':
      await cancelAction(word)
      break
    case 'kill':
      await killAction(word)
      break
    case 'applied':
    case 'failed':
      await resolveAction(word, verb === 'applied')
  }
  await sequenceLedgers(engine.database, engine.clock().toISOString())
  return actionNamed(engine, id)
}

/** Proposes the declared inverse of an applied action, through the same gate, linked to the receipt it compensates. */
export async function undoAction(engine: Engine, id: string): Promise<ActionInSight> {
  requireScope(engine.actor, 'actions:write')
  const action = await actionNamed(engine, id)
  const [row] = await engine.database.asWorker(
    [action.tenant_id],
    (tx) => readEffects(tx, [action.tenant_id], [action.action_id]),
    { access: 'read only' },
  )
  if (!row) throw notUndoable(id, 'a configuration change is undone by applying what was there before')
  const effect = effectOf(row)
  if (row.state === 'intent' || row.state === 'reconciling') {
    throw new FibricError('ENTITY_LOCKED', `\`${id}\` is under way`, { hint: 'wait until it has ended' })
  }
  if (row.state !== 'applied') throw notUndoable(id, `it is ${row.state}, not applied`)
  const draft = await undoDraft(engine, effect)
  const connector = connectorsOf(engine)
  const now = engine.clock()
  const effects = await draftEffects(connector, draft, now)
  await engine.database.asWorker([row.tenant_id], (tx) => recordPlans(tx, [{ draft, effects }], now))
  const proposed = effects[0]!.actionId
  if (effects[0]!.receipt === null) await carryOutEffects(engine, row.tenant_id, [proposed])
  await sequenceLedgers(engine.database, engine.clock().toISOString())
  return actionNamed(engine, proposed)
}

async function undoDraft(engine: Engine, { row, facts, attempt }: Effect): Promise<PlanDraft> {
  const connector = connectorsOf(engine)
  const name = facts.connection?.split('/').at(-1) ?? null
  const pinned =
    facts.connectorDigest && facts.connectionDigest
      ? { connectorDigest: facts.connectorDigest, connectionDigest: facts.connectionDigest }
      : null
  const bound = await connector.resolve(row.tenant_id, row.capability, name, pinned)
  if (bound.kind === 'unbound') throw notUndoable(row.action_id, bound.reason)
  const { undo } = bound.tool
  if (!isJsonObject(undo)) throw notUndoable(row.action_id, `\`${row.capability}\` declares no inverse`)
  const body = attempt?.body ?? null
  const args = undoArgs(row.action_id, undo.args ?? row.args, {
    config: bound.config,
    args: row.args,
    result: body,
    response: { body },
  })
  const rules = new RulesCache(engine.database, engine.clock)
  const { pools } = await rules.of([row.tenant_id])
  const domain = rules.domain(row.tenant_id)!
  return {
    domain,
    planId: mintId('plan', engine.clock().getTime(), randomBytes(10)) as PlanId,
    runId: null,
    proposer: engine.actor.principal,
    operator: null,
    correlationId: row.correlation_id,
    eventId: row.event_id,
    eventKey: `undo:${row.action_id}`,
    event: null,
    tenant: pools.factsOf(domain.slug) as TenantFacts,
    source: { undoes: row.action_id },
    model: null,
    compensates: row.receipt_id,
    capabilities: null,
    connection: name,
    proposals: [{ capability: String(undo.tool), args: isJsonObject(args) ? args : ({} as JsonObject) }],
  }
}

/** What the inverse is made from may be missing: an answer that was too large, or could not be kept. */
function undoArgs(id: ActionId, template: Json, names: ExpressionNames): Json {
  try {
    return renderJson(template, names)
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    throw notUndoable(id, `its inverse cannot be made from its answer: ${error.message}`)
  }
}

async function actionNamed(engine: Engine, id: string): Promise<ActionInSight> {
  const domains = await visibleAndGoneDomains(engine, null)
  const tenants = tenantIdsOf(domains)
  const rows = await engine.database.asWorker(tenants, (tx) => readActionsById(tx, tenants, id), {
    access: 'read only',
  })
  const row = rows.find((each) => each.action_id === (id as ActionId))
  const domain = row && domains.find((each) => each.tenant_id === row.tenant_id)
  if (row && domain) return { ...row, tenant: domain.slug, stopped: await stoppedBy(engine, row) }
  throw new FibricError('NOT_FOUND', `there is no action \`${id}\``, { hint: 'see them with: fibric actions list' })
}

async function stoppedBy(engine: Engine, row: ActionRow): Promise<Stopped | null> {
  const { tenant_id: tenant, action_id: id } = row
  if (isTerminal(row.state)) return null
  const stopped = await engine.database.asWorker([tenant], (tx) => readStopped(tx, [tenant]), { access: 'read only' })
  const found = stopped.find(({ action_id }) => action_id === id)
  return found ? { person: found.person, reason: found.reason } : null
}

function notUndoable(id: string, why: string): FibricError {
  return new FibricError('STATE_CONFLICT', `\`${id}\` cannot be undone: ${why}`, { hint: `see: fibric trace ${id}` })
}
