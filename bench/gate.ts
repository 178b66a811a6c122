import { cpus, loadavg } from 'node:os'
import { builtinRules } from '../controller/domain/builtin-rules.ts'
import { type Counter, counterId, type Facts } from '../controller/domain/counters.ts'
import { compileRules, evaluate, type RuleSet } from '../controller/domain/gate.ts'
import { compileGlob } from '../controller/domain/glob.ts'
import type { Address, Digest, Slug, TenantId } from '../controller/domain/ids.ts'
import type { JsonObject } from '../controller/domain/json.ts'
import { type Decision, poolFor, rulesOfPolicy, type TenantFacts } from '../controller/domain/rules.ts'
import type { GateAction, GateEnvelope } from '../controller/domain/verdict.ts'

/**
 * The trust gate over one tenant's pool: 1,000 rules on 100 capabilities, 1 in 50 of them under a glob, 1 in 5 with a
 * CEL condition, 1 in 10 with a rate or budget; 20,000 actions, two thirds let through. Work per item: one verdict.
 * The linear scan is the same gate with its index taken away.
 */
const ruleCount = 1000
const capabilityCount = 100
const actionCount = 20_000
const nowMs = Date.parse('2026-11-20T10:30:00Z')
const tenant: TenantFacts = {
  id: 't_acme' as TenantId,
  slug: 'acme' as Slug,
  reseller: null,
  environment: 'production',
}
const envelope: GateEnvelope = { event: { payload: { total: 12 } }, tenant, now: nowMs }

const pool = poolFor({ platform: [], tenant: rules(), builtin: builtinRules }, tenant)
const compileStartedMs = performance.now()
const indexed = compileRules(pool)
const compileMs = performance.now() - compileStartedMs
const actions = Array.from({ length: actionCount }, (_, index) => action(index))
const facts = counts()

const warm = measure(indexed, actions)
const measured = measure(indexed, actions)
const scanned = measure(linear(indexed), actions.slice(0, 2000))
console.log(
  JSON.stringify(
    {
      bench: 'gate',
      machine: {
        cores: cpus().length,
        model: cpus()[0]?.model ?? 'unknown',
        node: process.version,
        load: loadavg()[0],
      },
      work: { rules: pool.length, capabilities: capabilityCount, actions: actionCount, item: 'one verdict' },
      compile_ms: round(compileMs),
      first_pass_us: warm,
      indexed_us: measured,
      linear_us: scanned,
      ratio_p50: round(scanned.p50 / measured.p50),
      target: { p50_us: 5, p99_us: 30, met: measured.p50 < 5 && measured.p99 < 30 },
    },
    null,
    2,
  ),
)

function rules() {
  const written = Array.from({ length: ruleCount }, (_, index): JsonObject => {
    const noun = `noun${index % capabilityCount}`
    const capability = index % 50 === 49 ? (index % 100 === 99 ? '**' : `${noun}.*`) : `${noun}.verb`
    const match: Record<string, JsonObject[string]> = { capability, connection: 'orders' }
    if (index % 5 === 0) match.when = "action.args.country == 'RU'"
    const kind = Math.floor(index / capabilityCount)
    if (index % 50 === 49) return { id: `r${index}`, match, require: { maxValue: 100_000 } }
    if (kind % 5 === 0)
      return { id: `r${index}`, match: { ...match, value: { lte: 100 * (kind + 1) } }, decision: 'ALLOW' }
    if (kind % 5 === 1) return { id: `r${index}`, match: { ...match, value: { gt: 5000 } }, decision: 'ALERT' }
    if (kind % 5 === 2) return { id: `r${index}`, match: { ...match, entity: 'order:9*' }, decision: 'BLOCK' }
    if (kind % 5 === 3) return { id: `r${index}`, match: { ...match, tier: { gte: 3 } }, decision: 'BLOCK' }
    return { id: `r${index}`, match, require: { rate: { max: 1000, per: '1h', by: 'tenant' } } }
  })
  const policy = {
    address: 'acme/TrustPolicy/bench' as Address,
    owner: tenant.id,
    commit: null,
    digest: 'sha256:bench' as Digest,
  }
  return rulesOfPolicy(policy, { rules: written })
}

function action(index: number): GateAction {
  return {
    capability: `noun${(index * 7) % capabilityCount}.verb`,
    connection: 'orders',
    entity: `order:${index % 1000}`,
    value: { amount: `${(index * 13) % 640}.50`, currency: 'EUR' },
    tier: 2,
    args: { country: index % 11 === 0 ? 'RU' : 'DE', order_id: String(index) },
    proposer: { kind: 'operator', name: 'order-risk' },
    operator: 'order-risk',
    change: 'none',
  }
}

/** An hour of minute buckets in every row that a rate reads. */
function counts(): Facts {
  const counters: Record<string, Counter> = {}
  const minute = Math.floor(nowMs / 60_000)
  for (let index = 0; index < capabilityCount; index++) {
    const key = { capability: `noun${index}.verb`, by: 'tenant' as const, value: tenant.id }
    const buckets = Array.from({ length: 60 }, (_, ago) => ({ minute: minute - ago, count: 3, sums: { EUR: '10.50' } }))
    counters[counterId(key)] = { key, since: 0, buckets }
  }
  return { counters }
}

function linear(rules: RuleSet): RuleSet {
  return {
    ...rules,
    candidates({ capability, connection }) {
      const enforced = rules.rules.filter(({ inForce }) => {
        const { match = {} } = inForce.rule
        return (
          (match.capability === undefined || compileGlob(match.capability).matches(capability)) &&
          (match.connection ?? connection) === connection
        )
      })
      return { enforced, shadow: [] }
    },
  }
}

function measure(rules: RuleSet, asked: readonly GateAction[]) {
  const times: number[] = []
  const byDecision: Record<Decision, number[]> = { ALLOW: [], ALERT: [], BLOCK: [] }
  for (const each of asked) {
    const startedMs = performance.now()
    const verdict = evaluate(rules, each, envelope, facts)
    const tookUs = (performance.now() - startedMs) * 1000
    times.push(tookUs)
    byDecision[verdict.decision].push(tookUs)
  }
  return { ...spread(times), allow: spread(byDecision.ALLOW), block: spread(byDecision.BLOCK) }
}

function spread(times: number[]) {
  times.sort((a, b) => a - b)
  const at = (share: number) => round(times[Math.floor(times.length * share)] ?? Number.NaN)
  return { count: times.length, p50: at(0.5), p99: at(0.99) }
}

function round(number: number): number {
  return Math.round(number * 100) / 100
}
