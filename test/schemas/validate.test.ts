import { describe, expect, test } from 'vitest'
import { type Kind, kinds, type ProblemCode, problemCodes, validateDocument } from '../../schemas/index.ts'
import { documentOf, minimal } from './documents.ts'

/** `CODE pointer` of every problem; `#` stands before a pointer that means the key. */
function problemsOf(kind: Kind, spec: unknown, slug = minimal[kind].slug): string[] {
  const { name = slug } = minimal[kind]
  return validateDocument(kind, documentOf(kind, spec, name.replace(/^_/, '')), { slug })
    .map(({ code, pointer, atKey }) => `${code} ${atKey ? '#' : ''}${pointer}`)
    .sort()
}

test.each(kinds)('the smallest $kind is valid', ({ kind }) => {
  expect(problemsOf(kind, minimal[kind].spec)).toEqual([])
})

const tool = { http: { method: 'POST', path: '/orders/${args.id}/hold' } }
const read = { effect: 'read', http: { method: 'GET', path: '/orders' } }
const connector = (tools: object, more: object = {}) => ({
  version: '1.2.0',
  category: 'commerce',
  auth: { kind: 'api_key', in: 'header', name: 'X-Api-Key' },
  runtime: 'http',
  http: { baseUrl: 'https://${config.shop}.example.com/api' },
  tools,
  ...more,
})
const trigger = { on: ['order.created'] }
const reason = {
  rules: [{ when: 'true', propose: [{ capability: 'order.hold', args: { id: '${event.payload.id}' } }] }],
}
const operator = (more: object) => ({ trigger, capabilities: ['order.hold'], reason, ...more })
const hold = {
  mode: 'hold',
  approvers: { role: 'finance', quorum: 2 },
  expiresIn: '72h',
  separateFrom: ['proposer', 'author'],
}
const rules = (...list: object[]) => ({ rules: list.map((rule, index) => ({ id: `r${index}`, ...rule })) })

interface Row {
  readonly kind: Kind
  readonly name: string
  readonly spec: unknown
  readonly want?: readonly string[]
  readonly slug?: string
}

const good: readonly Row[] = [
  {
    kind: 'Tenant',
    name: 'a sandbox of another tenant',
    spec: { environment: 'sandbox', sandboxOf: 'city', hosts: ['acme.fibric.localhost'] },
  },
  {
    kind: 'Deployment',
    name: 'every brake and a remote witness',
    spec: {
      ledger: { pushTo: { url: 'git@example.com:log.git' } },
      egress: { allowPrivate: ['127.0.0.1/32', 'fd00::/8'] },
      hostDomains: ['localhost', { domain: 'bank.example', tenant: 'acme' }],
    },
  },
  {
    kind: 'Connector',
    name: 'a conditional, a queryable and a keyed tool',
    spec: connector({
      'order.get': read,
      'order.hold': {
        ...tool,
        effect: 'conditional',
        ifMatch: { tool: 'order.get', args: { id: '${args.id}' }, etag: '${result.etag}' },
      },
      'order.ship': {
        ...tool,
        effect: 'queryable',
        query: { tool: 'order.get', applied: "result.status == 'shipped'", settle: '30s' },
      },
      'order.pay': {
        ...tool,
        effect: 'keyed',
        keyWindow: '24h',
        value: { amount: '${args.amount}', currency: '${args.currency}' },
        input: { type: 'object' },
      },
      'order.note': { ...tool, value: '${args.amount}', undo: { tool: 'order.pay' } },
    }),
  },
  {
    kind: 'Connector',
    name: 'a webhook and a poll',
    spec: connector(
      {},
      {
        events: {
          'order.created': {
            kind: 'webhook',
            topic: 'orders/create',
            verify: { scheme: 'hmac-sha256', header: 'X-Sig', encoding: 'base64' },
            idempotencyKey: '${request.id}',
            payload: '${request.body}',
          },
          'order.updated': {
            kind: 'poll',
            every: '30s',
            request: { method: 'GET', path: '/orders', query: { since: '${cursor.value}', page: 1 } },
            pages: { next: '${response.next}', max: 100 },
            overlap: '5m',
            items: '${response.orders}',
            cursor: '${item.at}',
            tieBreak: '${item.id}',
            idempotencyKey: 'order:${item.id}',
          },
        },
        probe: { http: { method: 'GET', path: '/ping' }, expect: { status: 200 } },
      },
    ),
  },
  {
    kind: 'Connector',
    name: 'a local MCP server',
    spec: {
      version: '1.0.0',
      auth: { kind: 'none' },
      runtime: 'mcp',
      mcp: { command: ['node', 'server.js'], files: [{ path: '/srv' }] },
      tools: { 'file.read': { effect: 'read' } },
    },
  },
  {
    kind: 'Connector',
    name: 'a read by POST, where the platform vouches',
    spec: connector({ 'order.search': { effect: 'read', http: { method: 'POST', path: '/search' } } }),
  },
  {
    kind: 'Connection',
    name: 'a sandbox with a base URL of its own',
    spec: {
      connector: 'shop@1.0.0',
      transport: { sandbox: { baseUrl: 'http://127.0.0.1:4000' } },
      bindings: { 'order.hold': true },
    },
  },
  {
    kind: 'Asset',
    name: 'an HTTP resource with its write boundary',
    slug: '_platform',
    spec: {
      type: 'http',
      http: {
        baseUrl: 'https://example.com',
        method: 'POST',
        path: '/run',
        writes: [{ method: 'POST', path: '/run' }],
      },
    },
  },
  {
    kind: 'Skill',
    name: 'a skill on a local agent',
    spec: {
      capability: 'csv.profile',
      execution: { agent: { labels: { os: 'linux' } } },
      risk: 'high',
      inputs: { type: 'object', properties: { file: { type: 'string', format: 'fibric-file' } } },
    },
  },
  {
    kind: 'Operator',
    name: 'rules, senses and guardrails',
    spec: operator({
      capabilities: ['order.hold', 'order.read'],
      sense: [{ as: 'order', capability: 'order.read' }],
      guardrails: [{ id: 'g', match: { capability: '**' }, require: { maxValue: 10 } }],
    }),
  },
  {
    kind: 'Operator',
    name: 'a model with a prompt in place',
    spec: {
      trigger: { cron: '0 8 * * mon-fri', timeZone: 'Europe/Berlin' },
      reason: { model: { alias: 'reasoning', prompt: 'Be brief.', maxTokens: 10 } },
    },
  },
  {
    kind: 'TrustPolicy',
    name: 'the rules of the contract',
    slug: '_platform',
    spec: {
      stage: 'shadow',
      appliesTo: { tenants: ['acme'], resellers: ['north*'], environments: ['production'] },
      ...rules(
        {
          match: {
            capability: 'refund.issue',
            entity: 'order:*',
            value: { lte: 250 },
            tier: { lte: 2 },
            change: 'widens',
            when: "action.args.country == 'RU'",
          },
          expiresAt: '2027-01-31T00:00:00Z',
          decision: 'ALLOW',
          require: {
            maxValue: 250,
            rate: { max: 25, per: '1h', by: 'tenant' },
            budget: { max: 5000, currency: 'EUR', per: '1d' },
            hours: { timeZone: 'Europe/Berlin', days: ['mon'], from: '08:00', to: '18:00' },
            check: 'true',
          },
        },
        { match: { capability: 'refund.issue', value: { gt: 250 } }, decision: 'ALERT', alert: hold },
        { require: { maxValue: 10, otherwise: 'ALERT' }, alert: { mode: 'notify' } },
      ),
    },
  },
  {
    kind: 'ModelPolicy',
    name: 'a line for a tenant',
    slug: '_platform',
    spec: {
      default: 'a',
      perTenant: { 'city-of-x': 'claude-us' },
      require: { country: ['US'] },
      budget: { max: 50, currency: 'USD', per: '1d' },
    },
  },
  {
    kind: 'Model',
    name: 'a model that may run anywhere',
    spec: { provider: 'bedrock', modelId: 'global.x.y', hosting: { country: null, region: 'us-east-1' } },
  },
  {
    kind: 'User',
    name: 'an administrator of the deployment',
    slug: '_platform',
    spec: { superAdmin: true, crossTenant: ['acme'], emails: ['jane@example.com'] },
  },
  { kind: 'User', name: 'what import writes in a tenant', spec: { superAdmin: false, crossTenant: [] } },
  {
    kind: 'Table',
    name: 'every type of column',
    spec: {
      columns: {
        sku: { type: 'text', required: true },
        n: { type: 'integer', default: 0 },
        at: { type: 'timestamp' },
        j: { type: 'json', default: {} },
      },
      primaryKey: ['sku'],
      indexes: [['n', 'at']],
    },
  },
]

test.each(good)('$kind takes $name', ({ kind, spec, slug }) => {
  expect(problemsOf(kind, spec, slug)).toEqual([])
})

const bad: readonly Row[] = [
  {
    kind: 'Tenant',
    name: 'a parent without being a sandbox',
    spec: { sandboxOf: 'city' },
    want: ['CONFLICTING_FIELDS #/spec/sandboxOf'],
  },
  {
    kind: 'Tenant',
    name: 'itself as parent',
    spec: { environment: 'sandbox', sandboxOf: 'acme' },
    want: ['CONFLICTING_FIELDS /spec/sandboxOf'],
  },
  {
    kind: 'Tenant',
    name: 'a host with upper case or a scheme',
    spec: { hosts: ['Acme.example', 'https://x.example'] },
    want: ['BAD_FORMAT /spec/hosts/0', 'BAD_FORMAT /spec/hosts/1'],
  },
  {
    kind: 'Deployment',
    name: 'a share over 100 and a wrong range',
    spec: { brakes: { maxDeletePercent: 101 }, egress: { allowPrivate: ['10.0.0.0'] } },
    want: ['BAD_FORMAT /spec/egress/allowPrivate/0', 'OUT_OF_RANGE /spec/brakes/maxDeletePercent'],
  },
  {
    kind: 'Connector',
    name: 'tier 0 with an effect',
    spec: connector({ 'order.hold': { ...tool, tier: 0, effect: 'blind' } }),
    want: ['READ_NOT_VOUCHED /spec/tools/order.hold/tier', 'TIER_FLOOR /spec/tools/order.hold/tier'].slice(1),
  },
  {
    kind: 'Connector',
    name: 'a read above tier 0',
    spec: connector({ 'order.get': { ...read, tier: 1 } }),
    want: ['TIER_FLOOR /spec/tools/order.get/tier'],
  },
  {
    kind: 'Connector',
    name: 'a mix of the spellings of a read',
    spec: connector({ 'order.get': { ...read, effect: 'keyed', sideEffecting: false } }),
    want: ['CONFLICTING_FIELDS /spec/tools/order.get/sideEffecting'],
  },
  {
    kind: 'Connector',
    name: 'a read by PATCH',
    spec: connector({ 'order.get': { effect: 'read', http: { method: 'PATCH', path: '/' } } }),
    want: ['TIER_FLOOR /spec/tools/order.get/effect'],
  },
  {
    kind: 'Connector',
    name: 'a read by POST from a tenant',
    slug: 'acme',
    spec: connector({ 'order.get': { effect: 'read', http: { method: 'POST', path: '/' } } }),
    want: ['READ_NOT_VOUCHED /spec/tools/order.get/effect'],
  },
  {
    kind: 'Connector',
    name: 'a DELETE of tier 1',
    spec: connector({ 'order.drop': { tier: 1, http: { method: 'DELETE', path: '/' } } }),
    want: ['TIER_FLOOR /spec/tools/order.drop/tier'],
  },
  {
    kind: 'Connector',
    name: 'a conditional tool without its read',
    spec: connector({ 'order.hold': { ...tool, effect: 'conditional' } }),
    want: ['MISSING_FIELD /spec/tools/order.hold'],
  },
  {
    kind: 'Connector',
    name: 'a query by a tool that is not there',
    spec: connector({
      'order.hold': { ...tool, effect: 'queryable', query: { tool: 'order.gte', applied: 'true' } },
      'order.get': read,
    }),
    want: ['UNKNOWN_TOOL /spec/tools/order.hold/query/tool'],
  },
  {
    kind: 'Connector',
    name: 'a query by an effect',
    spec: connector({ 'order.hold': { ...tool, effect: 'queryable', query: { tool: 'order.hold', applied: 'true' } } }),
    want: ['CONFLICTING_FIELDS /spec/tools/order.hold/query/tool'],
  },
  {
    kind: 'Connector',
    name: 'a capability without a verb',
    spec: connector({ Order: tool }),
    want: ['BAD_FORMAT #/spec/tools/Order'],
  },
  {
    kind: 'Connector',
    name: 'a poll with the fields of a webhook',
    spec: connector(
      {},
      {
        events: {
          'a.b': {
            kind: 'poll',
            every: '30s',
            request: { method: 'GET', path: '/' },
            items: '${response}',
            cursor: '${item.at}',
            idempotencyKey: 'x',
            topic: 't',
          },
        },
      },
    ),
    want: ['CONFLICTING_FIELDS #/spec/events/a.b/topic'],
  },
  {
    kind: 'Connector',
    name: 'a webhook that anybody may send',
    spec: connector({}, { events: { 'a.b': { kind: 'webhook' } } }),
    want: ['MISSING_FIELD /spec/events/a.b'],
  },
  {
    kind: 'Connector',
    name: 'a schema outside the dialect',
    spec: connector({
      'order.hold': { ...tool, input: { type: 'object', properties: { a: { $ref: 'https://example.com' } } } },
    }),
    want: ['SCHEMA_DIALECT /spec/tools/order.hold/input/properties/a/$ref'],
  },
  {
    kind: 'Connector',
    name: 'an MCP server that is remote and local',
    spec: {
      version: '1.0.0',
      auth: { kind: 'none' },
      runtime: 'mcp',
      mcp: { url: 'https://example.com', command: ['x'] },
    },
    want: ['CONFLICTING_FIELDS #/spec/mcp/command'],
  },
  {
    kind: 'Connection',
    name: 'a connector without version',
    spec: { connector: 'shop' },
    want: ['BAD_FORMAT /spec/connector'],
  },
  {
    kind: 'Connection',
    name: 'a transport nobody knows',
    spec: { connector: 'shop@1.0.0', transport: 'test' },
    want: ['NOT_IN_ENUM /spec/transport'],
  },
  {
    kind: 'Asset',
    name: 'an HTTP resource of a tenant',
    spec: { type: 'http', http: { baseUrl: 'https://example.com', method: 'GET', path: '/' } },
    want: ['PLATFORM_ONLY /spec/type'],
  },
  {
    kind: 'Asset',
    name: 'a write outside its boundary',
    slug: '_platform',
    spec: { type: 'http', http: { baseUrl: 'https://example.com', method: 'PUT', path: '/' } },
    want: ['MISSING_FIELD /spec/http/method'],
  },
  {
    kind: 'Asset',
    name: 'the fields of another type',
    spec: { type: 'shell', shell: { entry: { file: 'a.sh' } }, node: { entry: { file: 'a.js' } } },
    want: ['CONFLICTING_FIELDS #/spec/node'],
  },
  {
    kind: 'Asset',
    name: 'a file by absolute path',
    spec: { type: 'shell', shell: { entry: { file: '/etc/passwd' } } },
    want: ['BAD_FORMAT /spec/shell/entry/file'],
  },
  {
    kind: 'Skill',
    name: 'low risk on a local agent',
    spec: { capability: 'a.b', risk: 'low', execution: 'agent' },
    want: ['TIER_FLOOR /spec/risk'],
  },
  {
    kind: 'Operator',
    name: 'two triggers',
    spec: operator({ trigger: { on: ['a.b'], every: '5m' } }),
    want: ['CONFLICTING_FIELDS #/spec/trigger/every'],
  },
  { kind: 'Operator', name: 'no trigger', spec: operator({ trigger: {} }), want: ['MISSING_FIELD /spec/trigger'] },
  {
    kind: 'Operator',
    name: 'rules and a model',
    spec: operator({ reason: { ...reason, model: { alias: 'a', prompt: 'b' } } }),
    want: ['CONFLICTING_FIELDS #/spec/reason/model'],
  },
  {
    kind: 'Operator',
    name: 'a sense named like the event',
    spec: operator({ sense: [{ as: 'event', capability: 'order.hold' }] }),
    want: ['CONFLICTING_FIELDS /spec/sense/0/as'],
  },
  {
    kind: 'Operator',
    name: 'the same name twice',
    spec: operator({
      sense: [
        { as: 'a', capability: 'order.hold' },
        { as: 'a', capability: 'order.hold' },
      ],
    }),
    want: ['DUPLICATE_ITEM /spec/sense/1/as'],
  },
  {
    kind: 'Operator',
    name: 'a proposal outside its allow-list',
    spec: operator({ capabilities: [] }),
    want: ['CONFLICTING_FIELDS /spec/reason/rules/0/propose/0/capability'],
  },
  {
    kind: 'TrustPolicy',
    name: 'an end on a BLOCK rule',
    spec: rules({ decision: 'BLOCK', expiresAt: '2027-01-31T00:00:00Z' }),
    want: ['CONFLICTING_FIELDS #/spec/rules/0/expiresAt'],
  },
  {
    kind: 'TrustPolicy',
    name: 'an end on a constraint',
    spec: rules({ require: { maxValue: 1 }, expiresAt: '2027-01-31T00:00:00Z' }),
    want: ['CONFLICTING_FIELDS #/spec/rules/0/expiresAt'],
  },
  {
    kind: 'TrustPolicy',
    name: 'a day that is not in the calendar',
    spec: rules({ decision: 'ALLOW', expiresAt: '2027-02-29T00:00:00Z' }),
    want: ['BAD_FORMAT /spec/rules/0/expiresAt'],
  },
  {
    kind: 'TrustPolicy',
    name: 'a rule that says nothing',
    spec: rules({ match: { capability: 'a.b' } }),
    want: ['MISSING_FIELD /spec/rules/0'],
  },
  {
    kind: 'TrustPolicy',
    name: 'an alert that asks nobody',
    spec: rules({ decision: 'ALERT', alert: { mode: 'hold' } }),
    want: ['MISSING_FIELD /spec/rules/0/alert'],
  },
  {
    kind: 'TrustPolicy',
    name: 'an alert on an ALLOW rule',
    spec: rules({ decision: 'ALLOW', alert: hold }),
    want: ['CONFLICTING_FIELDS #/spec/rules/0/alert'],
  },
  {
    kind: 'TrustPolicy',
    name: 'the same id twice',
    spec: {
      rules: [
        { id: 'a', decision: 'ALLOW' },
        { id: 'a', decision: 'BLOCK' },
      ],
    },
    want: ['DUPLICATE_ITEM /spec/rules/1/id'],
  },
  {
    kind: 'TrustPolicy',
    name: "other tenants in a tenant's policy",
    spec: { ...rules({ decision: 'ALLOW' }), appliesTo: { tenants: ['city'] } },
    want: ['PLATFORM_ONLY #/spec/appliesTo/tenants'],
  },
  { kind: 'TrustPolicy', name: 'no rules', spec: { rules: [] }, want: ['OUT_OF_RANGE /spec/rules'] },
  {
    kind: 'Model',
    name: 'a country its id contradicts',
    spec: { provider: 'bedrock', modelId: 'us.x.y', hosting: { country: 'DE', region: 'us-east-1' } },
    want: ['CONFLICTING_FIELDS /spec/hosting/country'],
  },
  {
    kind: 'Model',
    name: 'one country for a profile of many',
    spec: { provider: 'bedrock', modelId: 'eu.x.y', hosting: { country: 'DE', region: 'eu-central-1' } },
    want: ['CONFLICTING_FIELDS /spec/hosting/country'],
  },
  {
    kind: 'ModelPolicy',
    name: 'lines for other tenants',
    spec: { perTenant: { city: 'a' } },
    want: ['PLATFORM_ONLY #/spec/perTenant'],
  },
  {
    kind: 'User',
    name: 'an administrator in a tenant',
    spec: { superAdmin: true },
    want: ['PLATFORM_ONLY #/spec/superAdmin'],
  },
  {
    kind: 'User',
    name: 'a key that is none',
    spec: { signingKeys: ['ssh-ed25519 AAAA'] },
    want: ['BAD_FORMAT /spec/signingKeys/0'],
  },
  {
    kind: 'ApiKey',
    name: 'a person and a machine',
    spec: { user: 'a', service: 'b', role: 'c' },
    want: ['CONFLICTING_FIELDS #/spec/service'],
  },
  { kind: 'Schedule', name: 'nothing to do', spec: { every: '5m' }, want: ['MISSING_FIELD /spec'] },
  {
    kind: 'Schedule',
    name: 'a cron of six fields',
    spec: { cron: '0 0 8 * * *', emit: { eventType: 'a.b' } },
    want: ['BAD_FORMAT /spec/cron'],
  },
  {
    kind: 'Role',
    name: 'a verb nobody knows',
    spec: { allow: [{ verbs: ['raed'], kinds: ['Operators'] }] },
    want: ['NOT_IN_ENUM /spec/allow/0/kinds/0', 'NOT_IN_ENUM /spec/allow/0/verbs/0'],
  },
  {
    kind: 'Menu',
    name: 'two targets',
    spec: { title: 'a', page: 'a', url: 'https://example.com' },
    want: ['CONFLICTING_FIELDS #/spec/url'],
  },
  {
    kind: 'Announcement',
    name: "other tenants in a tenant's notice",
    spec: { title: 'a', audience: { tenants: ['city'] } },
    want: ['PLATFORM_ONLY #/spec/audience/tenants'],
  },
  {
    kind: 'Table',
    name: 'a key that is no column',
    spec: { columns: { sku: { type: 'text', default: 1 } }, primaryKey: ['skv'] },
    want: ['UNKNOWN_FIELD /spec/primaryKey/0', 'WRONG_TYPE /spec/columns/sku/default'],
  },
  {
    kind: 'Grant',
    name: 'nobody',
    spec: { to: {}, of: { kind: 'Skill', name: 'a' } },
    want: ['OUT_OF_RANGE /spec/to'],
  },
  {
    kind: 'Template',
    name: 'a kind of the governance domain',
    spec: { version: '1', resources: [{ kind: 'Model', metadata: {} }] },
    want: ['BAD_FORMAT /spec/version', 'NOT_IN_ENUM /spec/resources/0/kind'],
  },
  { kind: 'TemplateInstall', name: 'no template', spec: {}, want: ['MISSING_FIELD /spec'] },
  {
    kind: 'Webhook',
    name: 'a URL with a password',
    spec: { url: 'https://me:secret@example.com', events: ['plan.*'] },
    want: ['BAD_FORMAT /spec/url'],
  },
  {
    kind: 'Gateway',
    name: 'a rate without a unit',
    spec: { events: ['a.b'], rate: '100' },
    want: ['BAD_FORMAT /spec/rate'],
  },
  {
    kind: 'ServiceTier',
    name: 'a negative quota',
    spec: { quotas: { eventsPerMinute: -1 }, lifecycle: { remindBefore: ['14 days'] } },
    want: ['BAD_FORMAT /spec/lifecycle/remindBefore/0', 'OUT_OF_RANGE /spec/quotas/eventsPerMinute'],
  },
  { kind: 'Parameter', name: 'no value', spec: {}, want: ['MISSING_FIELD /spec'] },
  { kind: 'Workspace', name: 'an unknown field', spec: { name: 'a' }, want: ['UNKNOWN_FIELD #/spec/name'] },
  { kind: 'Reseller', name: 'a number for a name', spec: { displayName: 1 }, want: ['WRONG_TYPE /spec/displayName'] },
]

test.each(bad)('$kind refuses $name', ({ kind, spec, slug, want }) => {
  expect(problemsOf(kind, spec, slug)).toEqual([...want!])
})

test('every kind has a document that is refused', () => {
  expect(kinds.map(({ kind }) => kind).filter((kind) => !bad.some((row) => row.kind === kind))).toEqual([])
})

const document = (more: object) =>
  ({ apiVersion: 'fibric.io/v1', kind: 'Workspace', metadata: { name: 'a' }, spec: {}, ...more }) as never

describe('the envelope', () => {
  test.each([
    { name: 'another version', more: { apiVersion: 'fibric.io/v2' }, want: ['API_VERSION /apiVersion'] },
    { name: 'another kind', more: { kind: 'Menu' }, want: ['KIND_MISMATCH /kind'] },
    { name: 'a field of its own', more: { status: {} }, want: ['UNKNOWN_FIELD #/status'] },
    { name: 'no metadata', more: { metadata: undefined }, want: ['MISSING_FIELD '] },
    { name: 'a name with capitals', more: { metadata: { name: 'A' } }, want: ['BAD_FORMAT /metadata/name'] },
    {
      name: 'a name of 64 characters',
      more: { metadata: { name: 'a'.repeat(64) } },
      want: ['BAD_FORMAT /metadata/name'],
    },
    {
      name: 'another tenant',
      more: { metadata: { name: 'a', tenant: 'city' } },
      want: ['TENANT_PATH_MISMATCH /metadata/tenant'],
    },
    {
      name: 'a label that is no text',
      more: { metadata: { name: 'a', labels: { team: 1, 'b b': 'x' } } },
      want: ['WRONG_TYPE /metadata/labels/team', 'BAD_FORMAT #/metadata/labels/b b'],
    },
    { name: 'a spec that is a list', more: { spec: [] }, want: ['WRONG_TYPE /spec'] },
  ])('refuses $name', ({ more, want }) => {
    const found = validateDocument('Workspace', document(more), { slug: 'acme' })
    expect(found.map(({ code, pointer, atKey }) => `${code} ${atKey ? '#' : ''}${pointer}`)).toEqual(want)
  })

  test.each([
    ['Workspace', '_platform'],
    ['Model', 'acme'],
  ] as const)('refuses a %s in %s', (kind, slug) => {
    const { spec } = minimal[kind]
    expect(validateDocument(kind, documentOf(kind, spec), { slug }).map(({ code }) => code)).toEqual(['KIND_SCOPE'])
  })

  test('a tenant is named like its folder, and never `public`', () => {
    const codes = (name: string, slug: string) =>
      validateDocument('Tenant', documentOf('Tenant', {}, name), { slug }).map(({ code }) => code)
    expect(codes('acme', 'acme')).toEqual([])
    expect(codes('city', 'acme')).toEqual(['TENANT_NAME_MISMATCH'])
    expect(codes('public', 'public')).toEqual(['SLUG_RESERVED'])
  })
})

test.each([
  {
    spec: { trigger: { onn: ['a.b'] }, reason },
    message: 'unknown field `onn` in `spec.trigger`',
    hint: 'did you mean `on`',
  },
  {
    spec: operator({ max_tokens: 1 }),
    message: 'unknown field `max_tokens` in `spec`',
    hint: 'known fields: `goal`, `state`, `trigger`, `capabilities`, `sense`, `reason`, `guardrails`',
  },
  {
    spec: operator({ state: 'actve' }),
    message: '`spec.state` is `actve`, not one of `draft`, `paused`, `active`',
    hint: 'did you mean `active`',
  },
  {
    spec: operator({ goal: null }),
    message: '`spec.goal` must be text, found nothing',
    hint: 'give it a value, or leave the field out',
  },
  { spec: operator({ goal: 12 }), message: '`spec.goal` must be text, found the number `12`', hint: 'quote it: "12"' },
  {
    spec: operator({ capabilities: 'order.hold' }),
    message: '`spec.capabilities` must be a list, found the text `order.hold`',
    hint: 'write it as a list: [order.hold]',
  },
  {
    spec: operator({ trigger: { every: '5 minutes' } }),
    message: '`spec.trigger.every` is `5 minutes`, not a duration',
    hint: 'write it like 30s, 15m, 72h or 14d',
  },
])('a message names the field and the value, and the hint can be acted on: $message', ({ spec, message, hint }) => {
  expect(validateDocument('Operator', documentOf('Operator', spec), { slug: 'acme' })).toContainEqual(
    expect.objectContaining({ message, hint }),
  )
})

test('every problem of a document is reported at once', () => {
  const spec = {
    goal: 1,
    state: 'on',
    trigger: { on: [] },
    reason: { rules: [{ when: true, propose: [{}] }] },
    extra: 1,
  }
  const codes: ProblemCode[] = validateDocument('Operator', documentOf('Operator', spec), { slug: 'acme' }).map(
    ({ code }) => code,
  )
  expect(codes.sort()).toEqual([
    'MISSING_FIELD',
    'NOT_IN_ENUM',
    'OUT_OF_RANGE',
    'UNKNOWN_FIELD',
    'WRONG_TYPE',
    'WRONG_TYPE',
  ])
  expect(codes.filter((code) => !problemCodes.includes(code))).toEqual([])
})

test('a name that no tool of the connector has is a warning where nothing runs until it is used', () => {
  const spec = connector({ 'order.hold': { ...tool, undo: { tool: 'order.release' } } })
  const [found] = validateDocument('Connector', documentOf('Connector', spec), { slug: '_platform' })
  expect(found).toMatchObject({ code: 'UNKNOWN_TOOL', severity: 'warning' })
})

test.each([
  {
    name: 'a required field',
    spec: { triger: trigger, reason, capabilities: ['order.hold'] },
    want: ['UNKNOWN_FIELD'],
  },
  { name: 'one of several', spec: operator({ trigger: { evry: '5m' } }), want: ['UNKNOWN_FIELD'] },
])('a misspelt field is one problem, not also a missing one: $name', ({ spec, want }) => {
  const found = validateDocument('Operator', documentOf('Operator', spec), { slug: 'acme' })
  expect(found.map(({ code }) => code)).toEqual(want)
})
