import { slugOf } from '../domain/address.ts'
import { type CounterNeed, counterId, type Facts } from '../domain/counters.ts'
import { FibricError } from '../domain/errors.ts'
import { countersFor, evaluate } from '../domain/gate.ts'
import { type Address, platformSlug, platformTenantId, type Slug, type TenantId } from '../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import type { ResourceContent } from '../domain/resource.ts'
import { type AppliesTo, appliesToTenant, type TenantFacts } from '../domain/rules.ts'
import type { GateAction, Verdict } from '../domain/verdict.ts'
import type { Engine } from '../engine.ts'
import { glanceAtFacts } from '../executor/config/facts.ts'
import { isGenesis } from '../executor/config/genesis.ts'
import { readRules } from '../executor/config/rules-in-force.ts'
import { countersOf, wantedMinutes } from '../executor/effects/judge.ts'
import { readDeployment } from '../store/deployment.ts'
import { type DomainRow, readDomains } from '../store/domains.ts'
import { readMinutes } from '../store/effects.ts'
import { readVersions } from '../store/ledger.ts'
import { type ReceiptedObject, readReceipted } from '../store/objects.ts'
import type { Transaction } from '../store/tenancy.ts'
import { requireScope } from '../tenancy/actor.ts'
import { tenantIdsOf, visibleDomains } from './domains.ts'

/** A TrustPolicy in force, as those see it whom it binds. */
export interface Guardrail {
  /** `grd_` and the id of the object. */
  readonly id: string
  readonly address: Address
  readonly generation: number
  readonly digest: string
  readonly commit: string | null
  readonly stage: string
  readonly appliesTo: JsonObject
  readonly rules: Json
}

/** The policies that bind the domains in sight, by address: their own, and those of `_platform` that apply to them. */
export async function listGuardrails(engine: Engine, tenant: string | null): Promise<Guardrail[]> {
  requireScope(engine.actor, 'config:read')
  const domains = await visibleDomains(engine, tenant)
  const tenants = [...new Set([platformTenantId, ...tenantIdsOf(domains)])]
  const rows = await engine.database.asWorker(tenants, (tx) => readReceipted(tx, tenants, ['TrustPolicy', 'Tenant']), {
    access: 'read only',
  })
  const contents = new Map(rows.map((row) => [row.address, contentOf(row)]))
  const bound = domains.map((domain) => factsOf(domain, contents))
  const seesAll = engine.actor.tenantId === null
  return rows.flatMap((row) => {
    const spec = contents.get(row.address)?.spec
    if (row.kind !== 'TrustPolicy' || !spec) return []
    const appliesTo = isJsonObject(spec.appliesTo) ? spec.appliesTo : {}
    const isShared = slugOf(row.address) === platformSlug
    if (isShared && !bound.some((facts) => appliesToTenant(appliesTo as AppliesTo, facts))) return []
    return [guardrailOf(row, spec, seesAll || !isShared ? appliesTo : withoutNames(appliesTo))]
  })
}

export async function showGuardrail(engine: Engine, id: string): Promise<Guardrail> {
  const found = (await listGuardrails(engine, null)).find((guardrail) => guardrail.id === id)
  if (found) return found
  throw new FibricError('NOT_FOUND', `there is no guardrail \`${id}\``)
}

/** An action as the gate is asked about it; what an executor would compute is given. */
export interface AskedAction {
  readonly action: GateAction
  readonly event: JsonObject | null
}

/** What the gate says of some actions of one tenant right now, under the rules in force. Nothing is reserved. */
export async function evaluateActions(engine: Engine, slug: Slug, asked: readonly AskedAction[]): Promise<Verdict[]> {
  requireScope(engine.actor, 'config:read')
  const [domain] = await visibleDomains(engine, slug)
  const now = engine.clock()
  const tenantId = domain!.tenant_id
  return engine.database.asWorker(
    [platformTenantId, tenantId],
    async (tx) => {
      const deployment = (await readDeployment(tx))!
      const { pools } = await readRules(tx, isGenesis(deployment, now.getTime()), [domain!], new Map(), now)
      // Any address of the domain but its Tenant stands for its actions.
      const rules = pools.ruleSetFor(`${slug}/Operator/any` as Address)
      const verdicts: Verdict[] = []
      for (const { action, event } of asked) {
        const envelope = { event, tenant: pools.factsOf(slug), now: now.getTime() }
        const facts = await glanceAtCounts(tx, tenantId, countersFor(rules, action, envelope), now.getTime())
        verdicts.push(evaluate(rules, action, envelope, facts))
      }
      return verdicts
    },
    { access: 'read only', isolation: 'repeatable read' },
  )
}

/** Configuration changes are counted in their counters' rows, effects minute by minute. */
async function glanceAtCounts(
  tx: Transaction,
  tenant: TenantId,
  needs: readonly CounterNeed[],
  nowMs: number,
): Promise<Facts> {
  if (needs.length === 0) return { counters: {} }
  if (needs[0]!.capability.startsWith('config.')) return glanceAtFacts(tx, tenant, needs)
  const rows = await readMinutes(
    tx,
    needs.map((need) => wantedMinutes(tenant, need, nowMs)),
  )
  const counters = [...countersOf(rows).values()].map((counter) => [counterId(counter.key), counter])
  return { counters: Object.fromEntries(counters) }
}

/** One version of a policy as it was applied, out of its receipt. */
export interface GuardrailVersion {
  readonly address: Address
  readonly generation: number
  readonly digest: string | null
  readonly commit: string | null
  readonly applied_at: string
  readonly receipt_id: string
}

/** What was ever in force under a policy's address, newest first; before a generation, where one is given. */
export async function listGuardrailVersions(
  engine: Engine,
  id: string,
  before: number | null,
  limit: number,
): Promise<GuardrailVersion[]> {
  const { address } = await showGuardrail(engine, id)
  const [domain] = (await engine.database.asWorker([], readDomains, { access: 'read only' })).filter(
    ({ slug }) => slug === slugOf(address),
  )
  const tenant = domain?.tenant_id ?? platformTenantId
  const rows = await engine.database.asWorker([tenant], (tx) => readVersions(tx, tenant, address, before, limit), {
    access: 'read only',
  })
  return rows.map((row) => {
    const body = JSON.parse(row.bytes.toString('utf8')) as JsonObject
    const text = (value: Json | undefined): string | null => (typeof value === 'string' ? value : null)
    return {
      address,
      generation: row.generation,
      digest: text(body.digest_after),
      commit: text(body.commit),
      applied_at: row.created_at,
      receipt_id: row.entry_id,
    }
  })
}

function guardrailOf(row: ReceiptedObject, spec: JsonObject, appliesTo: JsonObject): Guardrail {
  return {
    id: (row.object_id ?? row.address).replace(/^ob_/, 'grd_'),
    address: row.address,
    generation: row.generation,
    digest: row.digest,
    commit: row.commit_sha,
    stage: String(spec.stage ?? 'enforce'),
    appliesTo,
    rules: spec.rules ?? [],
  }
}

/** That a rule of the platform applies to a tenant is for it to know; to whom else is not. */
function withoutNames({ tenants: _tenants, resellers: _resellers, ...rest }: JsonObject): JsonObject {
  return rest
}

function contentOf(row: ReceiptedObject): ResourceContent | null {
  return row.bytes === null ? null : (JSON.parse(row.bytes.toString('utf8')) as ResourceContent)
}

function factsOf(domain: DomainRow, contents: ReadonlyMap<Address, ResourceContent | null>): TenantFacts {
  const spec = contents.get(`${domain.slug}/Tenant/${domain.slug}` as Address)?.spec
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
  return {
    id: domain.tenant_id as TenantId,
    slug: domain.slug,
    reseller: text(spec?.reseller),
    environment: text(spec?.environment),
  }
}
