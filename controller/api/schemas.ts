import { documentSchema, kinds } from '../../schemas/index.ts'
import { apiCodes } from './failure.ts'
import type { Schema } from './route.ts'

/** A schema by its name in the OpenAPI document. */
export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` }
}

const text: Schema = { type: 'string' }
const textOrNull: Schema = { type: ['string', 'null'] }
const moment: Schema = { type: 'string', format: 'date-time' }
const momentOrNull: Schema = { type: ['string', 'null'], format: 'date-time' }
const count: Schema = { type: 'integer', minimum: 0 }
const anything: Schema = {}
const anyObject: Schema = { type: 'object' }
const texts: Schema = { type: 'array', items: text }

/** An object of ours: every field is always there, absence is null; fields may be added. */
function shown(object: string, description: string, properties: { readonly [name: string]: Schema }): Schema {
  const all = { object: { const: object }, ...properties }
  return { description, type: 'object', required: Object.keys(all), properties: all }
}

function connectionSchema(more: { readonly [name: string]: Schema }): Schema {
  return shown('connection', 'A connection as it is applied, and whether it has what it needs.', {
    address: text,
    tenant: text,
    name: text,
    connector: text,
    roles: texts,
    auth: text,
    credential: textOrNull,
    base_url: textOrNull,
    transport: { type: 'string', enum: ['live', 'sandbox'] },
    ready: { type: 'boolean' },
    reason: textOrNull,
    message: textOrNull,
    ...more,
  })
}

/** What the API answers, by name. */
export const objectSchemas: { readonly [name: string]: Schema } = {
  Error: {
    description: 'Every failure, 4xx and 5xx alike.',
    type: 'object',
    required: ['error'],
    additionalProperties: false,
    properties: {
      error: {
        type: 'object',
        required: ['type', 'code', 'message', 'doc_url', 'request_id'],
        additionalProperties: false,
        properties: {
          type: { type: 'string', enum: [...new Set(apiCodes().map(({ type }) => type))] },
          code: { type: 'string', enum: apiCodes().map(({ code }) => code) },
          message: text,
          doc_url: text,
          request_id: { type: 'string', pattern: '^req_[0-9a-f]{32}$' },
          details: anyObject,
        },
      },
    },
  },
  Condition: {
    type: 'object',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
    properties: {
      type: text,
      status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
      reason: text,
      message: text,
      lastTransitionTime: moment,
    },
  },
  Resource: shown('resource', 'An applied resource, as the last receipt left it.', {
    address: text,
    kind: text,
    labels: anyObject,
    generation: count,
    digest: text,
    commit: textOrNull,
    applied_at: moment,
    receipt_id: text,
    source: anyObject,
    conditions: { type: 'array', items: ref('Condition') },
  }),
  ImportedFile: shown('file', 'A file of the repository that would give what is applied.', {
    path: text,
    document: { type: ['object', 'null'] },
    base64: textOrNull,
  }),
  Drift: shown('drift', 'An object whose row or content disagrees with its last receipt.', {
    address: text,
    drift: { type: 'string', enum: ['pointer', 'content', 'missing'] },
  }),
  Wait: shown('wait', 'What keeps an address from moving on, and what would end the wait.', {
    address: text,
    message: text,
  }),
  Push: shown('push', 'The repository is looked at soon.', { status: { const: 'looking' } }),
  Suspension: shown('suspension', 'Nothing changes this object until the date.', {
    address: text,
    until: momentOrNull,
    reason: textOrNull,
  }),
  ConfigStatus: shown('config_status', 'What is applied, and what waits.', {
    deployment: text,
    engine: text,
    genesis: { type: 'string', enum: ['awaited', 'open', 'closed'] },
    follows: { type: 'boolean', description: 'whether this server follows a folder of its own' },
    resources: count,
    drifted: count,
    waiting: count,
    alerts: { ...count, description: 'raised, and not acknowledged' },
    last_applied_at: momentOrNull,
  }),
  Plan: shown('plan', 'Desired against actual: nothing is changed by it.', {
    id: text,
    deployment: text,
    engine: text,
    genesis: { type: 'boolean' },
    source: anyObject,
    created_at: moment,
    expires_at: moment,
    counts: {
      type: 'object',
      required: ['create', 'update', 'delete'],
      properties: { create: count, update: count, delete: count },
    },
    changes: { type: 'array', items: anyObject },
    read_set: { type: 'array', items: anyObject },
    rules: anyObject,
    drifted: { type: 'array', items: anyObject },
    brakes: { type: 'array', items: anyObject },
    backtest: anything,
    warnings: texts,
    diagnostics: { type: 'array', items: anyObject },
    file: { ...textOrNull, description: 'the signed plan file in base64, where `save` asked for it' },
  }),
  Apply: shown('apply', 'What became of each change of a plan.', {
    plan_id: text,
    outcomes: {
      type: 'array',
      items: {
        type: 'object',
        required: ['address', 'change', 'outcome', 'action_id', 'receipt_id', 'reasons'],
        properties: {
          address: text,
          change: { type: 'string', enum: ['+', '~', '-'] },
          outcome: text,
          action_id: textOrNull,
          receipt_id: textOrNull,
          reasons: texts,
        },
      },
    },
  }),
  Action: shown('action', 'One action of an execution plan.', {
    tenant: text,
    action_id: text,
    plan_id: text,
    capability: text,
    connection: text,
    entity_key: text,
    state: text,
    verdict: { type: ['object', 'null'] },
    approvals: { type: 'array', items: anyObject },
    expires_at: momentOrNull,
    receipt_id: textOrNull,
  }),
  ExecutionPlan: shown('execution_plan', 'What one proposer wanted in one domain.', {
    tenant: text,
    plan_id: text,
    config_plan_id: textOrNull,
    correlation_id: text,
    event_id: textOrNull,
    proposer: anyObject,
    created_at: moment,
  }),
  ShownExecutionPlan: {
    description: 'An execution plan with its actions, their verdicts and approvals.',
    allOf: [
      ref('ExecutionPlan'),
      { type: 'object', required: ['actions'], properties: { actions: { type: 'array', items: ref('Action') } } },
    ],
  },
  Answer: shown('answer', 'What an approval or a veto came to.', {
    action_id: text,
    entity_key: text,
    outcome: text,
    reasons: texts,
  }),
  LedgerEntry: {
    description: 'A leaf of the ledger: the receipt of an action, or an entry of another kind.',
    type: 'object',
    required: ['object', 'id', 'tenant', 'kind', 'position', 'leaf', 'created_at', 'body'],
    properties: {
      object: { type: 'string', enum: ['receipt', 'ledger_entry'] },
      id: text,
      tenant: text,
      kind: text,
      position: { type: ['integer', 'null'] },
      leaf: text,
      created_at: moment,
      body: anyObject,
    },
  },
  Guardrail: shown('guardrail', 'A TrustPolicy in force.', {
    id: text,
    address: text,
    generation: count,
    digest: text,
    commit: textOrNull,
    stage: text,
    applies_to: anyObject,
    rules: { type: 'array', items: anyObject },
  }),
  Verdict: shown('verdict', 'What the gate says of an action, and why.', {
    decision: { type: 'string', enum: ['ALLOW', 'ALERT', 'BLOCK'] },
    tier: count,
    rules: { type: 'array', items: anyObject },
    reasons: texts,
    near_misses: { type: 'array', items: anyObject },
    shadow: { type: 'array', items: anyObject },
    policy_digest: text,
    holds: { type: 'array', items: anyObject },
    counts: { type: 'array', items: anyObject },
  }),
  Key: {
    description: 'An API key. Its secret is answered when it is made, and never again.',
    type: 'object',
    required: ['object', 'id', 'tenant', 'role', 'scopes', 'created_at'],
    properties: {
      object: { const: 'api_key' },
      id: text,
      tenant: text,
      name: textOrNull,
      user_address: textOrNull,
      role: text,
      scopes: texts,
      prefix: text,
      last_four: text,
      created_by: text,
      created_at: moment,
      expires_at: momentOrNull,
      revoked_at: momentOrNull,
      secret: text,
    },
  },
  OperatorInForce: shown('operator', 'An operator as it is applied, and whether it runs.', {
    address: text,
    id: text,
    status: text,
    digest: text,
    commit: textOrNull,
    trigger: anyObject,
    capabilities: texts,
    last_run: { type: ['object', 'null'] },
  }),
  AskedRun: shown('run', 'What a run that a person asked for came to.', {
    id: text,
    outcome: text,
    cause: textOrNull,
    actions: { type: 'array', items: anyObject },
  }),
  Simulation: shown(
    'simulation',
    'What a run or a plan would come to: each action with its verdict, its request and its receipt as they would stand.',
    {
      outcome: text,
      cause: textOrNull,
      actions: { type: 'array', items: anyObject },
    },
  ),
  Alert: shown('alert', 'An action ran under a rule that notifies, and somebody is to know.', {
    id: text,
    tenant: text,
    action: text,
    capability: text,
    entity_key: text,
    state: text,
    policy: text,
    rule: text,
    reasons: texts,
    raised_at: moment,
    seen: {
      type: ['object', 'null'],
      required: ['at', 'person', 'reason'],
      properties: { at: moment, person: text, reason: text },
    },
  }),
  Effect: shown('action', 'An action that a connector carries out, as it stands.', {
    id: text,
    tenant: text,
    plan: text,
    state: text,
    capability: text,
    connection: textOrNull,
    entity_key: text,
    idempotency_key: text,
    args: anything,
    attempts: count,
    cause: textOrNull,
    verdict: { type: ['object', 'null'] },
    receipt: textOrNull,
    created_at: moment,
    state_at: moment,
    expires_at: momentOrNull,
    stopped: {
      type: ['object', 'null'],
      description: 'the stop that holds it back',
      required: ['person', 'reason'],
      properties: { person: text, reason: text },
    },
  }),
  ConnectionInForce: connectionSchema({}),
  ProbedConnection: connectionSchema({
    probe: { type: 'object', required: ['kind'], properties: { kind: { enum: ['alive', 'failed', 'unprobed'] } } },
  }),
  Drill: shown('drill', "What became of a tool's `effect` class when it was tried against a sandbox.", {
    connection: text,
    tool: text,
    effect: text,
    outcome: { enum: ['passed', 'failed', 'refused'] },
    checks: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name', 'passed', 'detail'],
        properties: { name: text, passed: { type: 'boolean' }, detail: text },
      },
    },
    verdict: anyObject,
  }),
  ModelChoice: shown('model_choice', 'What answers in a tenant under one alias, and what never does.', {
    tenant: text,
    alias: textOrNull,
    policy: textOrNull,
    by: { enum: ['perTenant', 'alias', 'default', null] },
    chosen: textOrNull,
    models: { type: 'array', items: anyObject },
    refused: {
      type: 'array',
      items: { type: 'object', required: ['name', 'reason'], properties: { name: text, reason: text } },
    },
    problem: textOrNull,
  }),
  TestedModel: shown('tested_model', 'What a model came to that was asked whether it is there.', {
    tenant: text,
    alias: textOrNull,
    outcome: { type: 'string', enum: ['answered', 'refused', 'unavailable'] },
    reason: textOrNull,
    model: textOrNull,
    text: textOrNull,
    input_tokens: { type: ['integer', 'null'] },
    output_tokens: { type: ['integer', 'null'] },
    cost: textOrNull,
    currency: textOrNull,
    took_ms: { type: 'integer' },
  }),
  Trace: shown('trace', 'The whole story that an id is part of.', {
    id: text,
    tenant: text,
    events: { type: 'array', items: anyObject },
    runs: { type: 'array', items: anyObject },
    models: { type: 'array', items: anyObject },
    plans: { type: 'array', items: anyObject },
    actions: { type: 'array', items: anyObject },
    entries: { type: 'array', items: ref('LedgerEntry') },
  }),
  Stop: shown('stop', 'Effects that do not happen, whatever the rules say, until it is ended.', {
    stop_id: text,
    tenant: text,
    scope: { type: 'string', enum: ['tenant', 'operator', 'capability', 'connection'] },
    name: text,
    reason: text,
    person: text,
    created_at: moment,
    ended_at: momentOrNull,
    ended_by: textOrNull,
  }),
  EndedStop: shown('stop', 'A stop that stops nothing any more.', {
    stop_id: text,
    tenant: text,
    ended: { const: true },
  }),
  Secret: shown('secret', 'A field of a secret: everything but its value.', {
    tenant: text,
    name: text,
    field: text,
    version: count,
    created_by: text,
    created_at: moment,
    previous_version: { type: ['integer', 'null'] },
    previous_until: momentOrNull,
  }),
  WrittenSecret: shown('secret', 'Which version of which field was written.', {
    tenant: text,
    name: text,
    field: text,
    version: count,
    previous_until: momentOrNull,
  }),
  DeletedSecret: shown('secret', 'A secret that is gone.', { tenant: text, name: text, deleted: { const: true } }),
  RotatedKey: shown('tenant_key', 'The key that seals a domain is another one now.', {
    tenant: text,
    from: text,
    to: text,
    versions: { ...count, description: 'how many values were wrapped anew' },
  }),
  Usage: shown('usage', 'What a tenant used between two instants.', {
    tenant: text,
    since: moment,
    until: moment,
    events: count,
    runs: { ...anyObject, description: 'by state, and `total`' },
    actions: { ...anyObject, description: 'by state, and `total`' },
    receipts: count,
    ledger_entries: count,
  }),
  GuardrailVersion: shown('guardrail_version', 'A version of a policy that was in force.', {
    address: text,
    generation: count,
    digest: textOrNull,
    commit: textOrNull,
    applied_at: moment,
    receipt_id: text,
  }),
  EndedKey: shown('api_key', 'A key that opens nothing any more.', { id: text, revoked: { const: true } }),
  TenantSummary: shown('tenant', 'A tenant, as its document was receipted.', {
    id: text,
    slug: text,
    ledger_id: text,
    display_name: textOrNull,
    reseller: textOrNull,
    tier: textOrNull,
    environment: textOrNull,
    sandbox_of: textOrNull,
    hosts: texts,
    state: textOrNull,
  }),
}

/** `components.schemas`: the kinds under their names, and the API's objects. */
export function componentSchemas(): { [name: string]: unknown } {
  const documents = kinds.map(({ kind }) => {
    const { $schema: _dialect, $id: _id, ...schema } = documentSchema(kind) as { [keyword: string]: unknown }
    return [kind, schema] as const
  })
  return { ...Object.fromEntries(documents), ...objectSchemas }
}
