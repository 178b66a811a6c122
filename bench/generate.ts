import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'

export interface GeneratedRepository {
  readonly resources: number
  readonly files: number
  readonly tenants: number
}

/**
 * Writes a config repository of exactly `resources` resources, one a file, always the same for the same number.
 *
 * A tenant has about fifty: operators with rules or prompts, connections, skills and their scripts, policies, people,
 * settings; a tenth of the tenants has a reseller. What is left over becomes parameters of the last tenant.
 */
export function generateRepository(root: string, resources: number): GeneratedRepository {
  let written = 0
  let files = 0
  const write = (path: string, text: string) => {
    const absolute = join(root, path)
    mkdirSync(dirname(absolute), { recursive: true })
    writeFileSync(absolute, text)
    files++
  }
  const document = (folder: string, kind: string, name: string, spec: string, metadata = '') => {
    if (written === resources) return
    write(`tenants/${folder}/${kind.toLowerCase()}s/${name}.yaml`, envelope(kind, name, spec, metadata))
    written++
  }
  for (const [kind, name, spec] of platformDocuments()) document('_platform', kind, name, spec)
  let tenants = 0
  while (written < resources) {
    const slug = `tenant-${String(tenants).padStart(4, '0')}`
    document(slug, 'Tenant', slug, tenantSpec(slug, tenants))
    for (const [kind, name, spec, metadata] of tenantDocuments(tenants)) document(slug, kind, name, spec, metadata)
    for (let index = 0; index < 4; index++) {
      write(`tenants/${slug}/prompts/reply-${index}.md`, prompt(slug, index))
      write(`tenants/${slug}/scripts/task-${index}.py`, script(slug, index))
    }
    tenants++
  }
  return { resources: written, files, tenants }
}

type GeneratedDocument = readonly [kind: string, name: string, spec: string, metadata?: string]

function envelope(kind: string, name: string, spec: string, metadata: string): string {
  return `apiVersion: fibric.io/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${metadata}spec:\n${spec}`
}

function* platformDocuments(): Generator<GeneratedDocument> {
  yield ['Reseller', 'northwind', '  displayName: Northwind\n']
  yield ['ServiceTier', 'standard', '  quotas: {eventsPerMinute: 600, actionsPerMinute: 120, concurrency: 16}\n']
  for (const [name, modelId] of [
    ['deepseek-v3-2', 'deepseek.v3.2'],
    ['claude-us', 'us.anthropic.claude-sonnet'],
  ] as const) {
    yield ['Model', name, `  provider: bedrock\n  modelId: ${modelId}\n  hosting: {country: US, region: us-east-1}\n`]
  }
  yield ['ModelPolicy', 'default', '  default: deepseek-v3-2\n  aliases: {reasoning: deepseek-v3-2}\n']
  for (const name of ['approver', 'auditor']) {
    yield ['Role', name, '  allow:\n    - {verbs: [read, approve], kinds: ["*"]}\n']
  }
  for (const name of ['shop', 'desk', 'pay']) yield ['Connector', name, connectorSpec(name)]
  yield ['TrustPolicy', 'configuration', configurationPolicy]
}

/** Whoever applies may: the generated repository is for measuring, and nobody is there to approve. */
const configurationPolicy = '  rules:\n    - {id: people, match: {capability: "config.**"}, decision: ALLOW}\n'

function connectorSpec(name: string): string {
  return `  version: 1.0.0
  category: commerce
  auth: {kind: api_key, in: header, name: X-Api-Key}
  runtime: http
  http: {baseUrl: "https://\${config.account}.example.com/api"}
  config: {type: object, properties: {account: {type: string}}, required: [account]}
  tools:
    ${name}.read:
      description: Read one order
      effect: read
      tier: 0
      input: {type: object, properties: {id: {type: string}}, required: [id], additionalProperties: false}
      output: {type: object, properties: {id: {type: string}, total: {type: number}, risk: {type: integer}}}
      http: {method: GET, path: "/orders/\${args.id}"}
    ${name}.hold:
      description: Put an order on hold
      tier: 2
      effect: keyed
      input: {type: object, properties: {id: {type: string}, amount: {type: number}}, required: [id], additionalProperties: false}
      output: {type: object}
      entityKey: "order:\${args.id}"
      http: {method: POST, path: "/orders/\${args.id}/hold", idempotencyHeader: Idempotency-Key, timeout: 10s}
  events:
    ${name}.created:
      kind: webhook
      topic: ${name}/create
      verify: {scheme: hmac-sha256, header: X-Signature, encoding: base64}
      idempotencyKey: "\${request.headers['x-event-id']}"
      payload: "\${request.body}"
      schema: {type: object, properties: {id: {type: string}, total: {type: number}}}
`
}

function tenantSpec(slug: string, number: number): string {
  return `  displayName: Tenant ${number}
${number % 10 === 0 ? '  reseller: northwind\n' : ''}  tier: standard
  environment: production
  hosts: [${slug}.example.com]
`
}

function* tenantDocuments(tenant: number): Generator<GeneratedDocument> {
  for (const connector of ['shop', 'desk', 'pay']) yield ['Connection', connector, connectionSpec(connector, tenant)]
  for (const name of ['operations', 'finance', 'support']) {
    yield [
      'Role',
      name,
      '  allow:\n    - {verbs: [read, run], kinds: [Skill, Operator]}\n    - {verbs: [approve], kinds: ["*"]}\n',
    ]
  }
  for (let index = 0; index < 6; index++) yield ['User', `user-${index}`, userSpec(tenant, index)]
  for (let index = 0; index < 4; index++) yield ['Asset', `task-${index}`, assetSpec(index)]
  for (let index = 0; index < 4; index++) yield ['Skill', `task-${index}`, skillSpec(index)]
  for (let index = 0; index < 10; index++) yield ['Operator', `watch-${index}`, ruleOperatorSpec(index), labels(index)]
  for (let index = 0; index < 4; index++) yield ['Operator', `reply-${index}`, modelOperatorSpec(index), labels(index)]
  for (let index = 0; index < 3; index++) yield ['TrustPolicy', `orders-${index}`, policySpec('shop.hold', 'finance')]
  for (let index = 0; index < 4; index++) yield ['Schedule', `nightly-${index}`, scheduleSpec(index)]
  for (let index = 0; index < 6; index++)
    yield ['Parameter', `setting-${index}`, `  value: ${index * 10}\n  description: A setting\n`]
  yield ['Webhook', 'receipts', '  url: https://hooks.example.com/receipts\n  events: ["receipt.*"]\n']
  yield ['ModelPolicy', 'own', '  default: deepseek-v3-2\n  require: {country: [US]}\n']
}

function connectionSpec(connector: string, tenant: number): string {
  return `  connector: ${connector}@1.0.0\n  as: [${connector}]\n  config: {account: account-${tenant}}\n  credential: ${connector}-main\n`
}

function userSpec(tenant: number, index: number): string {
  return `  displayName: User ${index}\n  emails: [user-${index}@tenant-${tenant}.example.com]\n  roles: [${index === 0 ? 'finance' : 'operations'}]\n`
}

function assetSpec(index: number): string {
  return `  type: python
  python: {entry: {file: ../scripts/task-${index}.py}}
  sandbox: {timeout: 60s, memory: 512Mi, cpu: 30s, network: none, output: 8Mi}
`
}

function skillSpec(index: number): string {
  return `  capability: task.run-${index}
  title: Run task ${index}
  inputs: {type: object, properties: {file: {type: string, format: fibric-file}}, required: [file]}
  outputs: {type: object}
  asset: task-${index}
  risk: low
  visibility: {roles: [operations]}
`
}

function ruleOperatorSpec(index: number): string {
  return `  goal: Hold risky orders before they ship
  state: active
  # The threshold was agreed with finance.
  trigger: {on: [shop.created]}
  capabilities: [shop.read, shop.hold]
  sense:
    - {as: order, capability: shop.read, args: {id: "\${event.payload.id}"}}
  reason:
    rules:
      - when: "order.total > ${1000 + index}.0 && order.risk >= 80.0"
        propose:
          - {capability: shop.hold, args: {id: "\${event.payload.id}", amount: "\${order.total}"}, key: hold, within: 24h}
`
}

function modelOperatorSpec(index: number): string {
  return `  goal: Draft a reply
  trigger: {on: [desk.created]}
  capabilities: [desk.read, desk.hold]
  reason:
    model: {alias: reasoning, prompt: {file: ../prompts/reply-${index}.md}, maxTokens: 1024}
`
}

function policySpec(capability: string, approver: string): string {
  return `  stage: enforce
  rules:
    - id: small
      match: {capability: "${capability}", tier: {lte: 2}, when: "action.args.amount < 1000.0"}
      decision: ALLOW
      require:
        rate: {max: 25, per: 1h, by: tenant}
    - id: large
      match: {capability: "${capability}"}
      decision: ALERT
      alert: {mode: hold, approvers: {role: ${approver}, quorum: 1}, expiresIn: 72h, separateFrom: [proposer, author]}
`
}

function scheduleSpec(index: number): string {
  return `  cron: "${index} 3 * * *"\n  timeZone: Europe/Berlin\n  run: {skill: task-${index}, inputs: {file: report.csv}}\n`
}

function labels(index: number): string {
  return `  labels: {team: ${index % 2 === 0 ? 'ops' : 'risk'}}\n`
}

function prompt(slug: string, index: number): string {
  return `You answer customers of ${slug}.\n\nBe brief, and name the order. Variant ${index}.\n`
}

function script(slug: string, index: number): string {
  return `import sys\n\n# Task ${index} of ${slug}.\nprint(sum(1 for _ in sys.stdin))\n`
}

if (import.meta.main) {
  const { positionals } = parseArgs({ allowPositionals: true })
  const [root, count = '1000'] = positionals
  if (!root) throw new Error('usage: node bench/generate.ts DIRECTORY [RESOURCES]')
  process.stdout.write(`${JSON.stringify(generateRepository(root, Number(count)))}\n`)
}
