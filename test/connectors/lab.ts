import type { ConnectorRuntime } from '../../controller/connectors/runtime.ts'
import type { Slug, TenantId } from '../../controller/domain/ids.ts'
import type { Json } from '../../controller/domain/json.ts'
import type { AttemptOptions, AttemptResult, Bound, EffectToken } from '../../controller/executor/effects/connector.ts'
import { readDomains } from '../../controller/store/domains.ts'
import { open } from '../operations/repositories.ts'
import { type Files, fates, type TestEngine, testEngine } from '../support/engine.ts'
import type { Provider } from '../support/provider.ts'

/** A tenant with one connection to a provider on loopback, which the Deployment allows. */
export async function labEngine(
  provider: Provider,
  options: { auth?: string; extra?: Files } = {},
): Promise<TestEngine> {
  const engine = await testEngine({ ...labFiles(provider, options.auth ?? '{kind: none}'), ...options.extra })
  const applied = await engine.apply()
  const refused = Object.entries(fates(applied)).filter(([, outcome]) => outcome !== 'applied')
  if (refused.length > 0) throw new Error(`not applied: ${JSON.stringify(refused)}`)
  return engine
}

export function labFiles({ port }: Pick<Provider, 'port'>, auth: string): Files {
  return {
    ...open,
    'fibric.yaml': `
apiVersion: fibric.io/v1
kind: Deployment
metadata: {name: lab}
spec: {egress: {allowPrivate: ["127.0.0.1/32"]}}
`,
    'tenants/_platform/connectors/lab.yaml': labConnector(auth),
    'tenants/acme/connections/main.yaml': `
apiVersion: fibric.io/v1
kind: Connection
metadata: {name: main}
spec:
  connector: lab@1.0.0
  as: [lab]
  config: {port: "${port}"}
  credential: lab-key
`,
  }
}

export function labConnector(auth: string, scheme = 'http'): string {
  return `
apiVersion: fibric.io/v1
kind: Connector
metadata: {name: lab}
spec:
  version: 1.0.0
  auth: ${auth}
  runtime: http
  http: {baseUrl: "${scheme}://127.0.0.1:\${config.port}/api"}
  config:
    type: object
    properties: {port: {type: string}}
    required: [port]
  tools:
    thing.make:
      effect: blind
      value: {amount: "\${args.amount}", currency: "\${args.currency}"}
      entityKey: "thing:\${args.id}"
      input: &input
        type: object
        properties:
          id: {type: string, maxLength: 64}
          amount: {type: number}
          currency: {type: string}
          note: {type: string}
        required: [id]
        additionalProperties: false
      output: {type: object, properties: {ok: {type: boolean}}, required: [ok]}
      http:
        method: POST
        path: "/things/\${args.id}"
        query: {note: "\${args.note}"}
        headers: {X-Note: "\${args.note}"}
        body: {id: "\${args.id}", amount: "\${args.amount}"}
        idempotencyHeader: Idempotency-Key
        timeout: 2s
    thing.keep:
      effect: keyed
      input: *input
      http: {method: POST, path: "/things/\${args.id}", timeout: 2s}
    thing.ask:
      effect: queryable
      query: {tool: thing.read, args: {id: "\${args.id}"}, applied: "result.ok"}
      input: *input
      http: {method: POST, path: "/things/\${args.id}", timeout: 2s}
    thing.drop:
      effect: idempotent
      input: *input
      http: {method: DELETE, path: "/things/\${args.id}", timeout: 2s}
    thing.say:
      effect: blind
      outcome: {applied: "response.body.state == 'done'", failed: "response.body.state == 'refused'", notDone: "response.body.state == 'busy'"}
      input: *input
      http: {method: POST, path: "/things/\${args.id}", timeout: 2s}
    thing.read:
      effect: read
      input: *input
      output: {type: object, properties: {ok: {type: boolean}}, required: [ok]}
      http: {method: GET, path: "/things/\${args.id}", timeout: 2s}
  probe: {http: {method: GET, path: /ping}, expect: {status: 200}}
`
}

export async function tenantIdOf(engine: TestEngine, slug: string): Promise<TenantId> {
  const domains = await engine.database.asWorker([], readDomains)
  return domains.find((domain) => domain.slug === (slug as Slug))!.tenant_id
}

export async function bind(runtime: ConnectorRuntime, tenant: TenantId, capability: string): Promise<Bound> {
  const binding = await runtime.resolve(tenant, capability)
  if (binding.kind === 'unbound') throw new Error(binding.reason)
  return binding
}

let actions = 0

/** What the executor does once an intent is committed: mints the token of the planned request, and makes the attempt. */
export function attempt(
  runtime: ConnectorRuntime,
  bound: Bound,
  args: Json,
  options: Partial<AttemptOptions> & { readonly alter?: (token: EffectToken) => EffectToken } = {},
): Promise<AttemptResult> {
  const planned = runtime.plan(bound, args)
  if ('problem' in planned) throw new Error(planned.problem)
  const deadlineMs = options.deadlineMs ?? performance.now() + 20_000
  const token = { ...planned.request, actionId: `act_${++actions}`, attempt: 1, deadlineMs }
  const { alter = (same: EffectToken) => same, ...rest } = options
  return runtime.attempt(bound, args, {
    idempotencyKey: 'key-1',
    deadlineMs,
    resend: false,
    signal: new AbortController().signal,
    ...rest,
    token: rest.token ?? alter(token),
  })
}
