import type { FieldProblem } from './envelope.ts'
import { isJsonObject, type Json, type JsonObject } from './json.ts'

/** The members of our own event body, by the names it is sent with. */
export interface EventFields {
  readonly [name: string]: Json
}

/**
 * A CloudEvent 1.0 in structured mode as our own event body: `type` is the event type, `source` and `id` deduplicate as
 * the specification says, `data` is the payload (below `data`, where it is no object). Extensions named like our fields,
 * without the underscores that CloudEvents does not allow, are those fields; everything else stays in the stored body.
 */
export function fromCloudEvent(event: JsonObject): { fields: EventFields } | { problems: FieldProblem[] } {
  const problems: FieldProblem[] = []
  if (event.specversion !== '1.0') problems.push({ field: 'specversion', message: 'must be `1.0`' })
  for (const field of ['id', 'source', 'type']) {
    if (typeof event[field] !== 'string' || event[field] === '') problems.push({ field, message: 'must be a text' })
  }
  if ('data' in event && 'data_base64' in event) {
    problems.push({ field: 'data_base64', message: 'cannot stand beside `data`' })
  }
  if ('data_base64' in event && typeof event.data_base64 !== 'string') {
    problems.push({ field: 'data_base64', message: 'must be a text' })
  }
  if (problems.length > 0) return { problems }
  const fields: { [name: string]: Json } = {
    event_type: event.type!,
    source: event.source!,
    idempotency_key: event.id!,
    payload: payloadOf(event),
  }
  for (const [extension, field] of Object.entries(extensions)) {
    if (event[extension] !== undefined) fields[field] = event[extension]
  }
  return { fields }
}

const extensions = {
  tenantid: 'tenant_id',
  resellerid: 'reseller_id',
  workspaceid: 'workspace_id',
  correlationid: 'correlation_id',
  agentid: 'agent_id',
  sessionid: 'session_id',
}

function payloadOf(event: JsonObject): JsonObject {
  if ('data_base64' in event) return { data_base64: event.data_base64! }
  if (isJsonObject(event.data)) return event.data
  return event.data === undefined || event.data === null ? {} : { data: event.data }
}
