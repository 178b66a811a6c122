import { randomBytes } from 'node:crypto'
import type { Installed } from '../connectors/catalog.ts'
import { objectOf } from '../connectors/request.ts'
import { FibricError } from '../domain/errors.ts'
import type { Address, Slug, TenantId } from '../domain/ids.ts'
import { isJsonObject, type JsonObject } from '../domain/json.ts'
import { controlEntry } from '../domain/receipt.ts'
import { renderJson } from '../domain/render-json.ts'
import type { Verdict } from '../domain/verdict.ts'
import type { Engine } from '../engine.ts'
import type { Bound, PlannedEffect } from '../executor/effects/connector.ts'
import { classOf } from '../executor/effects/propose.ts'
import { newReceiptId } from '../executor/effects/receipts.ts'
import { sequenceLedger } from '../ledger/sequence.ts'
import { writeDrill } from '../store/connection-records.ts'
import { appendEntries } from '../store/ledger.ts'
import { requireScope } from '../tenancy/actor.ts'
import { connectionNamed, connectorsOf } from './connections.ts'
import { type DrillCheck, runChecks } from './drill-checks.ts'
import { evaluateActions } from './guardrails.ts'

export interface DrillWish {
  /** Capability of the tool. */
  readonly tool: string
  readonly args: JsonObject
  /** What is read back; default: what the tool itself is asked with. */
  readonly read: { readonly tool: string; readonly args: JsonObject } | null
}

export interface Drill {
  readonly connection: Address
  readonly tool: string
  readonly effect: string
  /** Refused: the gate let nothing be sent. */
  readonly outcome: 'passed' | 'failed' | 'refused'
  readonly checks: readonly DrillCheck[]
  readonly verdict: Verdict
}

/**
 * Proves a tool's `effect` class against the sandbox that its connection's transport names: what is promised of it is tried on
 * a provider that can be asked what became of it. What is sent has to be allowed like anything else, and is announced in the
 * ledger before its first byte.
 */
export async function drillConnection(engine: Engine, slug: string, name: string, wish: DrillWish): Promise<Drill> {
  requireScope(engine.actor, 'actions:write')
  const { tenantId, installed } = await connectionNamed(engine, slug, name)
  requireSandbox(installed)
  const bound = await declared(engine, tenantId, installed, wish.tool)
  const effect = classOf(bound.tool)
  if (effect === 'blind' || effect === 'read') {
    throw usage(`\`${wish.tool}\` is \`effect: ${effect}\`, which promises nothing that could be shown`)
  }
  const planned = connectorsOf(engine).plan(bound, wish.args)
  if ('problem' in planned) throw usage(planned.problem)
  const reader = await readerOf(engine, tenantId, installed, bound, wish)
  const verdict = await ask(engine, slug as Slug, bound, planned, wish)
  const facts = { connection: installed.address, tool: wish.tool, effect }
  if (verdict.decision !== 'ALLOW') return { ...facts, outcome: 'refused', checks: [], verdict }
  const id = `drill_${randomBytes(16).toString('hex')}`
  await note(engine, tenantId, { ...facts, drill: id, outcome: 'begun', policy_digest: verdict.policy_digest ?? null })
  const runtime = connectorsOf(engine)
  const checks = await runChecks({ runtime, bound, planned, args: wish.args, reader, id })
  const passed = checks.length > 0 && checks.every((check) => check.passed)
  const outcome = passed ? 'passed' : 'failed'
  await engine.database.asTenant(tenantId, (tx) =>
    writeDrill(tx, {
      tenant_id: tenantId,
      connector_digest: bound.connectorDigest,
      capability: wish.tool,
      effect,
      passed,
      connection: installed.address,
      person: engine.actor.person,
      drilled_at: engine.clock().toISOString(),
    }),
  )
  const found = checks.map(({ name: check, passed: held, detail }) => ({ check, passed: held, detail }))
  await note(engine, tenantId, { ...facts, drill: id, outcome, checks: found })
  await sequenceLedger(engine.database, tenantId, engine.clock().toISOString())
  return { ...facts, outcome, checks, verdict }
}

function requireSandbox({ address, spec }: Installed): void {
  const { transport } = spec ?? {}
  if (transport === 'sandbox' || isJsonObject(transport)) return
  throw new FibricError(
    'STATE_CONFLICT',
    `\`${address}\` goes to the provider itself, and a drill sends everything twice`,
    {
      hint: 'drill a connection of the same connector with `transport: {sandbox: {baseUrl: …}}`',
    },
  )
}

/** The tool with the class it declares, whatever has been shown of it so far. */
async function declared(engine: Engine, tenantId: TenantId, installed: Installed, tool: string): Promise<Bound> {
  const binding = await connectorsOf(engine).resolve(tenantId, tool, installed.name)
  if (binding.kind === 'unbound') throw usage(binding.reason)
  const own = objectOf(objectOf(installed.connector?.spec?.tools)[tool])
  return { ...binding, tool: own }
}

async function readerOf(
  engine: Engine,
  tenantId: TenantId,
  installed: Installed,
  { tool, config }: Bound,
  wish: DrillWish,
): Promise<{ bound: Bound; args: JsonObject }> {
  const own = [tool.query, tool.ifMatch].find((each) => isJsonObject(each)) as JsonObject | undefined
  const asked = wish.read ?? (own && { tool: String(own.tool), args: objectOf(own.args ?? wish.args) })
  if (!asked)
    throw usage(`\`${wish.tool}\` names nothing that could be read back`, 'say what to read: --read order.get')
  const bound = await connectorsOf(engine).resolve(tenantId, asked.tool, installed.name)
  if (bound.kind === 'unbound') throw usage(bound.reason)
  if (classOf(bound.tool) !== 'read') throw usage(`\`${asked.tool}\` is an effect, and no read`)
  return { bound, args: objectOf(renderJson(asked.args, { config, args: wish.args })) }
}

async function ask(
  engine: Engine,
  slug: Slug,
  bound: Bound,
  planned: PlannedEffect,
  { args }: DrillWish,
): Promise<Verdict> {
  const action = {
    capability: bound.toolName,
    connection: bound.connectionRole,
    entity: planned.entityKey,
    value: planned.value,
    tier: planned.tier,
    args,
    proposer: engine.actor.principal,
    operator: null,
    change: 'none' as const,
    model: null,
  }
  const [verdict] = await evaluateActions(engine, slug, [{ action: action as never, event: null }])
  return verdict!
}

async function note(engine: Engine, tenantId: TenantId, details: JsonObject): Promise<void> {
  const now = engine.clock()
  const at = now.toISOString()
  const entry = controlEntry(newReceiptId(now), 'control.connection.drill', {
    tenantId,
    person: engine.actor.person,
    at,
    details,
  })
  await engine.database.asTenant(tenantId, (tx) => appendEntries(tx, tenantId, null, at, [entry]))
}

function usage(message: string, hint?: string): FibricError {
  return new FibricError('USAGE', message, hint === undefined ? {} : { hint })
}
