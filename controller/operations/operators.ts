import { randomBytes } from 'node:crypto'
import type { Envelope } from '../domain/envelope.ts'
import { FibricError } from '../domain/errors.ts'
import { type ActionId, type Address, mintId, platformTenantId, type ReceiptId, type TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { controlEntry } from '../domain/receipt.ts'
import type { Engine } from '../engine.ts'
import { sequenceLedgers } from '../ledger/sequence.ts'
import { Runner } from '../loop/deliveries.ts'
import { type OperatorInForce, readOperators, runs } from '../loop/operators.ts'
import { Recorder } from '../loop/recorder.ts'
import type { Occasion, RunParts } from '../loop/run.ts'
import { askPrefix } from '../loop/witness.ts'
import { readActionsById } from '../store/actions.ts'
import { moveConfigMark } from '../store/config-marks.ts'
import { appendEntries } from '../store/ledger.ts'
import { findRun, type RunRow, readLastRun, readStuckRuns, removePause, writePause } from '../store/runs.ts'
import { requireScope } from '../tenancy/actor.ts'
import { connectorsOf } from './connections.ts'
import { tenantIdsOf, visibleDomains } from './domains.ts'
import { carryOutEffects } from './effects.ts'
import { modelsOf } from './model-way.ts'
import type { Once } from './once.ts'

export interface ShownOperator {
  readonly operator: OperatorInForce
  /** What it is doing: running, paused and by whom, or a draft. */
  readonly status: string
  readonly last: RunRow | null
  /** Those that are tried again: their stream waits for them. */
  readonly stuck: readonly RunRow[]
}

export async function listOperators(engine: Engine, tenant: string | null): Promise<ShownOperator[]> {
  requireScope(engine.actor, 'config:read')
  const shown: ShownOperator[] = []
  for (const operator of await operatorsOf(engine, tenant)) shown.push(await shownOf(engine, operator))
  return shown
}

export async function showOperator(engine: Engine, name: string, tenant: string | null): Promise<ShownOperator> {
  requireScope(engine.actor, 'config:read')
  return shownOf(engine, await operatorNamed(engine, name, tenant))
}

async function shownOf(engine: Engine, operator: OperatorInForce): Promise<ShownOperator> {
  const { tenant_id: tenant } = operator.domain
  const [last, stuck] = await engine.database.asWorker(
    [tenant],
    async (tx) =>
      [await readLastRun(tx, tenant, operator.address), await readStuckRuns(tx, tenant, operator.address)] as const,
    { access: 'read only' },
  )
  return { operator, status: statusOf(operator), last, stuck }
}

/** What an operator is doing, in a word or a few. */
export function statusOf(operator: OperatorInForce): string {
  if (operator.state !== 'active') return operator.state
  return runs(operator) ? 'active' : (operator.paused ?? 'paused')
}

/** It does not run until it is resumed, whatever its document says; its events wait. */
export async function pauseOperator(
  engine: Engine,
  name: string,
  tenant: string | null,
  reason: string,
): Promise<Address> {
  requireScope(engine.actor, 'operators:write')
  const { address, domain } = await operatorNamed(engine, name, tenant)
  const now = engine.clock()
  await engine.database.asTenant(domain.tenant_id, async (tx) => {
    const pause = {
      tenant_id: domain.tenant_id,
      address,
      reason,
      person: engine.actor.person,
      created_at: now.toISOString(),
    }
    if (!(await writePause(tx, pause))) throw conflict(address, 'is paused already', 'fibric operators list')
    await note(engine, tx, domain, 'control.operator.pause', { address, reason }, now)
    await moveConfigMark(tx, domain.tenant_id)
  })
  await sequenceLedgers(engine.database, now.toISOString())
  return address
}

export async function resumeOperator(engine: Engine, name: string, tenant: string | null): Promise<Address> {
  requireScope(engine.actor, 'operators:write')
  const { address, domain } = await operatorNamed(engine, name, tenant)
  const now = engine.clock()
  await engine.database.asTenant(domain.tenant_id, async (tx) => {
    if (!(await removePause(tx, address))) throw conflict(address, 'is not paused', 'fibric operators list')
    await note(engine, tx, domain, 'control.operator.resume', { address }, now)
    await moveConfigMark(tx, domain.tenant_id)
  })
  await sequenceLedgers(engine.database, now.toISOString())
  return address
}

/** What a run asked for by a person came to, and its actions as they stand. */
export interface AskedRun {
  readonly runId: string
  readonly outcome: string
  readonly cause: string | null
  readonly actions: readonly { readonly actionId: ActionId; readonly capability: string; readonly state: string }[]
}

/**
 * Runs an operator once, now, over a payload: proposed, gated, carried out and receipted like any other run. Asked again
 * by another attempt at the same request, it is the same run.
 */
export async function runOperatorNow(
  engine: Engine,
  name: string,
  tenant: string | null,
  payload: JsonObject,
  once: Once | null = null,
): Promise<AskedRun> {
  requireScope(engine.actor, 'runs:write')
  const operator = await operatorNamed(engine, name, tenant)
  if (!runs(operator))
    throw conflict(operator.address, `does not run: ${statusOf(operator)}`, `fibric operators resume ${name}`)
  const occasion = askedFor(engine, operator, askId(engine, once), payload)
  const recorder = new Recorder(engine.database, engine.clock, null)
  await new Runner(partsOf(engine), engine.database, recorder).run(operator, occasion)
  const asked = await readAsked(engine, operator, occasion)
  const ready = asked.actions.filter(({ state }) => state === 'planned').map(({ actionId }) => actionId)
  const moved = ready.length > 0 ? await carryOutEffects(engine, operator.domain.tenant_id, ready) : []
  await sequenceLedgers(engine.database, engine.clock().toISOString())
  const states = new Map(moved.map((row) => [row.action_id, row.state]))
  return {
    ...asked,
    actions: asked.actions.map((each) => ({ ...each, state: states.get(each.actionId) ?? each.state })),
  }
}

function askId(engine: Engine, once: Once | null): string {
  if (once === null) return mintId('run', engine.clock().getTime(), randomBytes(10))
  return mintId('run', Date.parse(once.at), Buffer.from(once.id, 'hex'))
}

/** The run as it was recorded, by this attempt or by one before it, with what it proposed. */
async function readAsked(engine: Engine, operator: OperatorInForce, { deliveryId }: Occasion): Promise<AskedRun> {
  const { tenant_id: tenantId } = operator.domain
  return engine.database.asWorker(
    [tenantId],
    async (tx) => {
      const run = await findRun(tx, tenantId, operator.id, deliveryId)
      if (run === null) throw conflict(operator.address, 'left no run', 'fibric operators list')
      const actions = run.plan_id === null ? [] : await readActionsById(tx, [tenantId], run.plan_id)
      return {
        runId: run.run_id,
        outcome: run.state === 'recorded' && run.plan_id === null ? 'nothing' : run.state,
        cause: run.cause,
        actions: actions.map(({ action_id: actionId, capability, state }) => ({ actionId, capability, state })),
      }
    },
    { access: 'read only' },
  )
}

function partsOf(engine: Engine): RunParts {
  return {
    connector: connectorsOf(engine),
    models: modelsOf(engine),
    clock: engine.clock,
    signal: new AbortController().signal,
  }
}

/** A person's question as an occasion: an event of theirs that is in no log. */
export function askedFor(engine: Engine, operator: OperatorInForce, runId: string, payload: JsonObject): Occasion {
  const correlationId = mintId('correlation', engine.clock().getTime(), randomBytes(10))
  const event: Envelope = {
    event_id: runId,
    reseller_id: operator.domain.reseller_id,
    tenant_id: operator.domain.tenant_id,
    workspace_id: null,
    source: 'fibric',
    event_type: 'fibric.operator.asked',
    correlation_id: correlationId,
    payload,
    agent_id: null,
    session_id: null,
  }
  return { deliveryId: `${askPrefix}${runId}`, event, key: runId, correlationId, depth: 0 }
}

export async function operatorsOf(engine: Engine, tenant: string | null): Promise<OperatorInForce[]> {
  const domains = await visibleDomains(engine, tenant)
  const tenants = tenantIdsOf(domains)
  const context: TenantId[] = [...new Set([platformTenantId, ...tenants])]
  return engine.database.asWorker(context, (tx) => readOperators(tx, tenants), { access: 'read only' })
}

export async function operatorNamed(engine: Engine, name: string, tenant: string | null): Promise<OperatorInForce> {
  const [slug, plain] = name.includes('/') ? [name.split('/')[0]!, name.split('/').at(-1)!] : [tenant, name]
  const id = plain.replace(/^op_/, 'ob_')
  const found = (await operatorsOf(engine, slug)).filter((operator) => operator.name === plain || operator.id === id)
  if (found.length === 1) return found[0]!
  const more =
    found.length > 1 ? `is one of ${found.map(({ address }) => `\`${address}\``).join(', ')}` : 'is not applied'
  throw new FibricError('NOT_FOUND', `the operator \`${name}\` ${more}`, {
    hint: 'see them with: fibric operators list',
  })
}

function conflict(address: Address, why: string, command: string): FibricError {
  return new FibricError('STATE_CONFLICT', `\`${address}\` ${why}`, { hint: `see: ${command}` })
}

async function note(
  engine: Engine,
  tx: Parameters<typeof appendEntries>[0],
  { tenant_id, reseller_id }: OperatorInForce['domain'],
  kind: string,
  details: { readonly [key: string]: string },
  now: Date,
): Promise<void> {
  const id = mintId('receipt', now.getTime(), randomBytes(10)) as ReceiptId
  const at = now.toISOString()
  const entry = controlEntry(id, kind, { tenantId: tenant_id, person: engine.actor.person, at, details })
  await appendEntries(tx, tenant_id, reseller_id, at, [entry])
}
