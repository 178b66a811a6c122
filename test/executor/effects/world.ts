import { randomBytes } from 'node:crypto'
import { ConnectorRuntime } from '../../../controller/connectors/runtime.ts'
import { type ActionId, mintId, type PlanId, platformTenantId } from '../../../controller/domain/ids.ts'
import type { JsonObject } from '../../../controller/domain/json.ts'
import type { ExecutorSettings } from '../../../controller/executor/effects/context.ts'
import { Executor } from '../../../controller/executor/effects/executor.ts'
import { draftEffects, type PlanDraft, type Proposal } from '../../../controller/executor/effects/propose.ts'
import { type DraftedPlan, recordPlans } from '../../../controller/executor/effects/record.ts'
import { type DomainRow, readDomains } from '../../../controller/store/domains.ts'
import { open, policy, tenant } from '../../operations/repositories.ts'
import type { TestDatabase } from '../../support/database.ts'
import { type Files, fates, type TestEngine, testEngine } from '../../support/engine.ts'
import { type Provider, startProvider } from '../../support/provider.ts'

/** A tenant with one connection to a provider that does what it is told, an executor, and a way to propose. */
export interface World {
  readonly engine: TestEngine
  readonly provider: Provider
  readonly connector: ConnectorRuntime
  readonly executor: Executor
  readonly failures: string[]
  executorWith(settings: Partial<ExecutorSettings>): Executor
  domain(slug?: 'acme' | 'beta'): Promise<DomainRow>
  propose(proposals: readonly Proposal[], more?: Partial<PlanDraft>): Promise<ActionId[]>
  /** A plan that nobody has recorded yet. */
  draft(proposals: readonly Proposal[], more?: Partial<PlanDraft>): Promise<DraftedPlan>
  /** Every action, oldest first. */
  actions(): Promise<ActionShown[]>
  action(id: ActionId): Promise<ActionShown>
  receipts(): Promise<JsonObject[]>
  entries(kind: string): Promise<JsonObject[]>
  /** Requests other than reads, by path. */
  writes(): number
  /** Lets every wait that was set end now. */
  hurry(): Promise<void>
  /** Works, without any waiting, until nothing moves by itself any more. */
  finish(executor?: Executor): Promise<void>
  close(): Promise<void>
}

export interface ActionShown {
  readonly action_id: ActionId
  readonly plan_id: PlanId
  readonly state: string
  readonly cause: string | null
  readonly attempts: number
  readonly fence: number | null
  readonly receipt_id: string | null
  readonly entity_key: string
  readonly idempotency_key: string
  readonly verdict: JsonObject | null
  readonly attempt: JsonObject | null
  readonly expires_at: string | null
}

export const quickSettings: Partial<ExecutorSettings> = { backoffMs: () => 1, idleMs: 5, recoverEveryMs: 20 }

const allowThings = '{id: things, match: {capability: "thing.*"}, decision: ALLOW}'

export async function startWorld(
  options: {
    readonly rules?: readonly string[]
    readonly extra?: Files
    readonly settings?: Partial<ExecutorSettings>
    readonly open?: () => Promise<TestDatabase>
  } = {},
): Promise<World> {
  const provider = await startProvider()
  const engine = await testEngine(
    {
      ...open,
      'tenants/acme/tenant.yaml': tenant('acme'),
      'tenants/beta/tenant.yaml': tenant('beta'),
      'fibric.yaml': `
apiVersion: fibric.io/v1
kind: Deployment
metadata: {name: lab}
spec: {egress: {allowPrivate: ["127.0.0.1/32"]}}
`,
      'tenants/_platform/connectors/lab.yaml': connectorYaml,
      'tenants/acme/connections/main.yaml': connectionYaml(provider.port),
      'tenants/beta/connections/main.yaml': connectionYaml(provider.port),
      'tenants/acme/policies/things.yaml': policy('things', ...(options.rules ?? [allowThings])),
      'tenants/beta/policies/things.yaml': policy('things', allowThings),
      ...options.extra,
    },
    options.open ? { open: options.open } : {},
  )
  const applied = await engine.apply()
  const refused = Object.entries(fates(applied)).filter(([, outcome]) => outcome !== 'applied')
  if (refused.length > 0) throw new Error(`not applied: ${JSON.stringify(refused)}`)
  const connector = new ConnectorRuntime({ database: engine.database, clock: engine.clock, aws: null })
  const failures: string[] = []
  const executorWith = (settings: Partial<ExecutorSettings>): Executor =>
    new Executor({
      database: engine.database,
      connector,
      clock: engine.clock,
      settings: { ...quickSettings, ...settings },
      onFailure: (error, doing) => failures.push(`${doing}: ${(error as Error).stack}`),
    })
  const domain = async (slug = 'acme'): Promise<DomainRow> => {
    const domains = await engine.database.asWorker([platformTenantId], readDomains)
    return domains.find((each) => each.slug === slug)!
  }
  const shown = `select action_id, plan_id, state, cause, attempts, fence, receipt_id, entity_key, idempotency_key, verdict, attempt, expires_at
                   from fibric.action where effect is not null`
  const world: World = {
    engine,
    provider,
    connector,
    executor: executorWith(options.settings ?? {}),
    failures,
    executorWith,
    domain,
    async propose(proposals, more = {}) {
      const drafted = await world.draft(proposals, more)
      await engine.database.asWorker([drafted.draft.domain.tenant_id], (tx) =>
        recordPlans(tx, [drafted], engine.clock()),
      )
      return drafted.effects.map((each) => each.actionId)
    },
    async draft(proposals, more = {}) {
      const draft = await draftOf(await domain(), proposals, more)
      return { draft, effects: await draftEffects(connector, draft, engine.clock()) }
    },
    actions: () => engine.sql<ActionShown>(`${shown} order by created_at, ordinal, action_id`),
    action: async (id) => (await engine.sql<ActionShown>(`${shown} and action_id = $1`, [id]))[0]!,
    receipts: async () =>
      bodies(await engine.sql(`select bytes from fibric.ledger_entry where kind = 'receipt' order by serial`)),
    entries: async (kind) =>
      bodies(await engine.sql('select bytes from fibric.ledger_entry where kind = $1 order by serial', [kind])),
    writes: () => provider.received.filter(({ method }) => method !== 'GET').length,
    async hurry() {
      await engine.sql(`update fibric.effect_queue set due_at = now() where due_at < 'infinity'`)
      await engine.sql(`update fibric.lease set until = now() - interval '1 s' where until is not null`)
      await engine.sql(`delete from fibric.egress_gate`)
    },
    async finish(executor) {
      const states = async () =>
        JSON.stringify(
          await engine.sql(
            'select action_id, state, attempts, fence from fibric.action where effect is not null order by 1',
          ),
        )
      for (let before = '', now = await states(); before !== now; before = now, now = await states()) {
        await engine.sql(`update fibric.effect_queue set due_at = now() where due_at < 'infinity'`)
        await engine.sql(`delete from fibric.egress_gate`)
        await (executor ?? world.executor).drain()
      }
    },
    async close() {
      await engine.close()
      await provider.close()
    },
  }
  return world
}

let events = 0

async function draftOf(
  domain: DomainRow,
  proposals: readonly Proposal[],
  more: Partial<PlanDraft>,
): Promise<PlanDraft> {
  const eventKey = `event-${++events}`
  return {
    domain,
    planId: mintId('plan', Date.now(), randomBytes(10)) as PlanId,
    runId: null,
    proposer: { kind: 'operator', name: 'keeper' },
    operator: { name: 'keeper', id: 'ob_keeper' },
    correlationId: `co_${eventKey}`,
    eventId: null,
    eventKey,
    event: null,
    tenant: { id: domain.tenant_id, slug: domain.slug, reseller: null, environment: null },
    source: { operator: 'acme/Operator/keeper' },
    model: null,
    compensates: null,
    capabilities: null,
    proposals,
    ...more,
  }
}

function bodies(rows: readonly { bytes: Buffer }[]): JsonObject[] {
  return rows
    .map((row) => JSON.parse(row.bytes.toString('utf8')) as JsonObject)
    .filter((body) => body.kind !== 'receipt' || !String(body.capability).startsWith('config.'))
}

export function connectionYaml(port: number, version = '1.0.0'): string {
  return `
apiVersion: fibric.io/v1
kind: Connection
metadata: {name: main}
spec:
  connector: lab@${version}
  as: [lab]
  config: {port: "${port}"}
`
}

const tool = (name: string, effect: string, http: string, more = ''): string => `
    ${name}:
      effect: ${effect}
      entityKey: "thing:\${args.id}"
      value: {amount: "\${args.amount}", currency: "\${args.currency}"}
      input:
        type: object
        properties: {id: {type: string, maxLength: 64}, amount: {type: number}, currency: {type: string}, note: {type: string}}
        required: [id]
        additionalProperties: false
      http: ${http}
${more}`

const post =
  '{method: POST, path: "/things/${args.id}", body: {note: "${args.note}"}, idempotencyHeader: Idempotency-Key, timeout: 2s}'

export const connectorYaml = `
apiVersion: fibric.io/v1
kind: Connector
metadata: {name: lab}
spec:
  version: 1.0.0
  auth: {kind: none}
  runtime: http
  http: {baseUrl: "http://127.0.0.1:\${config.port}/api"}
  config: {type: object, properties: {port: {type: string}}, required: [port]}
  tools:
    thing.read:
      effect: read
      input: {type: object, properties: {id: {type: string}}, required: [id], additionalProperties: false}
      output: {type: object, properties: {ok: {type: boolean}, etag: {type: string}, state: {type: string}}}
      http: {method: GET, path: "/things/\${args.id}", timeout: 2s}
${tool('thing.blind', 'blind', post)}
${tool('thing.pass', 'blind', post, '      onUnknown: continue')}
${tool('thing.keyed', 'keyed', post, '      keyWindow: 2h\n      undo: {tool: thing.idempotent, args: {id: "${args.id}", note: "${result.back}"}}')}
${tool('thing.idempotent', 'idempotent', post.replace('POST', 'PUT'))}
${tool('thing.delete', 'idempotent', post.replace('POST', 'DELETE').replace(', body: {note: "${args.note}"}', ''))}
${tool('thing.ask', 'queryable', post, '      query: {tool: thing.read, args: {id: "${args.id}"}, applied: "result.ok", settle: 30s}')}
${tool('thing.match', 'conditional', post.replace('POST', 'PUT'), '      ifMatch: {tool: thing.read, args: {id: "${args.id}"}, etag: "${result.etag}"}')}
${tool('thing.short', 'keyed', post, '      retry: {for: 1s}')}
`
