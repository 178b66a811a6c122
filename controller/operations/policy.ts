import { FibricError } from '../domain/errors.ts'
import type { Principal } from '../domain/identity.ts'
import type { Slug } from '../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import type { GateAction, Verdict } from '../domain/verdict.ts'
import type { Engine } from '../engine.ts'
import { connectorsOf } from './connections.ts'
import { visibleDomains } from './domains.ts'
import { evaluateActions } from './guardrails.ts'

/** May a proposer do something with these arguments? What the executor would compute is computed. */
export async function can(
  engine: Engine,
  tenant: string,
  proposer: string,
  capability: string,
  args: JsonObject,
): Promise<{ action: GateAction; verdict: Verdict }> {
  const [domain] = await visibleDomains(engine, tenant)
  const connector = connectorsOf(engine)
  const bound = await connector.resolve(domain!.tenant_id, capability)
  if (bound.kind === 'unbound') {
    throw new FibricError('STATE_CONFLICT', bound.reason, { hint: `see: fibric connections list --tenant ${tenant}` })
  }
  const planned = connector.plan(bound, args)
  if ('problem' in planned) {
    throw new FibricError('USAGE', `\`${capability}\`: ${planned.problem}`, { hint: "give them with --args '{…}'" })
  }
  const who = principalOf(proposer)
  const action: GateAction = {
    capability,
    connection: bound.connectionRole,
    entity: planned.entityKey,
    value: planned.value,
    tier: planned.tier,
    args,
    proposer: who,
    operator: who.kind === 'operator' ? who.name : null,
    change: 'none',
    model: null,
  }
  const [verdict] = await evaluateActions(engine, domain!.slug, [{ action, event: null }])
  return { action, verdict: verdict! }
}

/** Verdicts on actions in the gate's own view of them, one for each. */
export async function evaluateLines(engine: Engine, tenant: string, lines: readonly Json[]): Promise<Verdict[]> {
  const asked = lines.map((line, index) => ({ action: askedAction(line, index), event: eventOf(line) }))
  return evaluateActions(engine, tenant as Slug, asked)
}

/** `operator:order-risk`, `person:acme/User/ana`, or a bare name of an operator. */
function principalOf(text: string): Principal {
  const match = /^(person|operator|schedule|builtin|reconciler):(.+)$/.exec(text)
  if (match) return { kind: match[1] as Principal['kind'], name: match[2]! }
  return { kind: text.includes('/') ? 'person' : 'operator', name: text }
}

function askedAction(line: Json, index: number): GateAction {
  if (!isJsonObject(line) || typeof line.capability !== 'string') {
    throw new FibricError('USAGE', `line ${index + 1} is no action: it has no \`capability\``, {
      hint: '{"capability": "order.hold", "connection": "orders", "entity": "order:1", "args": {}, "proposer": {"kind": "operator", "name": "order-risk"}}',
    })
  }
  const { value, proposer, tier } = line
  const who = isJsonObject(proposer)
    ? { kind: String(proposer.kind ?? 'person') as Principal['kind'], name: String(proposer.name ?? '') }
    : ({ kind: 'person', name: 'nobody' } as const)
  return {
    capability: line.capability,
    connection: typeof line.connection === 'string' ? line.connection : '',
    entity: typeof line.entity === 'string' ? line.entity : line.capability,
    value: amountOf(value ?? null),
    tier: (typeof tier === 'number' ? tier : 2) as GateAction['tier'],
    args: line.args ?? {},
    proposer: who,
    operator: who.kind === 'operator' ? who.name : null,
    change: (typeof line.change === 'string' ? line.change : 'none') as GateAction['change'],
    model: isJsonObject(proposer) && typeof proposer.model === 'string' ? proposer.model : null,
  }
}

function eventOf(line: Json): JsonObject | null {
  return isJsonObject(line) && isJsonObject(line.event) ? line.event : null
}

function amountOf(value: Json): GateAction['value'] {
  if (typeof value === 'number' || typeof value === 'string') return { amount: String(value), currency: null }
  if (!isJsonObject(value)) return null
  return { amount: String(value.amount), currency: typeof value.currency === 'string' ? value.currency : null }
}
