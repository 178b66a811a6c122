import { deadLetterReasons } from '../../domain/dead-letter.ts'
import type { Schema } from '../route.ts'

const text = { type: 'string' }
const maybe = { type: ['string', 'null'] }

export const eventSchema: Schema = {
  type: 'object',
  additionalProperties: false,
  required: [
    ...[
      'object',
      'id',
      'event_id',
      'reseller_id',
      'tenant_id',
      'workspace_id',
      'source',
      'event_type',
      'correlation_id',
    ],
    ...['payload', 'agent_id', 'session_id', 'tenant', 'origin', 'idempotency_key', 'depth', 'position', 'received_at'],
  ],
  properties: {
    object: { const: 'event' },
    id: text,
    event_id: text,
    reseller_id: maybe,
    tenant_id: text,
    workspace_id: maybe,
    source: text,
    event_type: text,
    correlation_id: text,
    payload: { type: 'object' },
    agent_id: maybe,
    session_id: maybe,
    tenant: text,
    origin: { enum: ['api', 'webhook', 'gateway', 'poll', 'internal'] },
    idempotency_key: maybe,
    depth: { type: 'integer' },
    position: { type: ['integer', 'null'] },
    received_at: text,
  },
}

export const deadLetterSchema: Schema = {
  type: 'object',
  required: ['object', 'id', 'tenant_id', 'reason', 'message', 'source', 'event_type', 'created_at'],
  properties: {
    object: { const: 'dead_letter' },
    id: text,
    tenant_id: text,
    reason: { enum: [...deadLetterReasons] },
    message: text,
    source: text,
    event_type: text,
    event_id: maybe,
    consumer: maybe,
    idempotency_key: maybe,
    origin: { enum: ['webhook', 'poll', 'internal', 'run'] },
    request: { type: ['object', 'null'], description: 'what came with the body, credentials left out' },
    body: { type: ['string', 'null'], description: 'what was received, in base64' },
    created_at: text,
    redriven_at: maybe,
    redriven_by: maybe,
    redriven_to: { ...maybe, description: 'the event, or the replay, that it became' },
  },
}

export const replaySchema: Schema = {
  type: 'object',
  required: ['object', 'id', 'consumer', 'operator', 'status', 'dry_run', 'count', 'sample'],
  properties: {
    object: { const: 'replay' },
    id: maybe,
    consumer: text,
    operator: { ...maybe, description: 'its address; null where no operator stands behind the consumer' },
    status: { ...maybe, description: 'what the operator is doing: paused, it gets them when it is resumed' },
    dry_run: { type: 'boolean' },
    count: { type: 'integer' },
    sample: { type: 'array', items: { type: 'object' } },
  },
}

export const acceptedSchema: Schema = {
  type: 'object',
  required: ['object', 'id', 'status'],
  properties: {
    object: { enum: ['event', 'dead_letter'] },
    id: text,
    status: { enum: ['appended', 'duplicate', 'conflict', 'dead_letter'] },
    reason: text,
  },
}
