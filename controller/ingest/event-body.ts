import { fromCloudEvent } from '../domain/cloudevents.ts'
import { envelopeProblems, type FieldProblem, type NewEvent, type Origin } from '../domain/envelope.ts'
import { FibricError } from '../domain/errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import { refuseReserved } from './append.ts'
import { parseExactJson } from './exact-json.ts'

/** The domain a verified credential or Host belongs to: what a body says of tenancy may only agree with it. */
export interface DoorTenancy {
  readonly tenantId: string
  readonly slug: string
  readonly resellerId: string | null
}

export interface BodyRules {
  readonly tenancy: DoorTenancy
  readonly origin: Origin
  /** The source of an event that names none, or of every event where `sourceFixed`. */
  readonly source: string
  readonly sourceFixed: boolean
  /** Of the request; it outranks the one in the body. */
  readonly key: string | null
}

/** One event out of a request: our own form, or a CloudEvent in structured mode. */
export function readEventBody(bytes: Buffer, contentType: string | undefined, rules: BodyRules): NewEvent {
  const media = mediaOf(contentType)
  if (media !== 'json' && media !== 'cloudevent') throw unsupported()
  const body = parseExactJson(bytes)
  if (!isJsonObject(body)) throw invalid([{ field: '', message: 'must be an object' }])
  return eventOf(body, media === 'cloudevent', rules, bytes, '')
}

/** Events of a batch: `{events: […]}` in our own form, or a list of CloudEvents. */
export function readBatchBody(bytes: Buffer, contentType: string | undefined, rules: BodyRules): NewEvent[] {
  const media = mediaOf(contentType)
  if (media !== 'json' && media !== 'cloudevent-batch') throw unsupported()
  const body = parseExactJson(bytes)
  const list = media === 'json' && isJsonObject(body) ? body.events : body
  if (!Array.isArray(list)) throw invalid([{ field: 'events', message: 'must be a list' }])
  if (list.length === 0 || list.length > batchMax) {
    throw invalid([{ field: 'events', message: `must hold 1 to ${batchMax} events` }])
  }
  return (list as readonly Json[]).map((item, index) => {
    const at = `events/${index}/`
    if (!isJsonObject(item)) throw invalid([{ field: `events/${index}`, message: 'must be an object' }])
    return eventOf(item, media === 'cloudevent-batch', rules, null, at)
  })
}

const batchMax = 1000

const fieldNames = new Set([
  ...['source', 'event_type', 'payload', 'correlation_id', 'workspace_id', 'agent_id', 'session_id', 'idempotency_key'],
  ...['tenant_id', 'reseller_id'],
])

function eventOf(
  sent: JsonObject,
  isCloudEvent: boolean,
  rules: BodyRules,
  bytes: Buffer | null,
  at: string,
): NewEvent {
  const mapped = isCloudEvent ? fromCloudEvent(sent) : { fields: sent }
  if ('problems' in mapped) throw invalid(below(at, mapped.problems))
  const { fields } = mapped
  const problems: FieldProblem[] = Object.keys(fields).flatMap((name) =>
    fieldNames.has(name) ? [] : [{ field: name, message: 'is no field of an event' }],
  )
  const text = (name: string): string | null => {
    const value = fields[name]
    if (value === undefined || value === null) return null
    if (typeof value === 'string') return value
    problems.push({ field: name, message: 'must be a text' })
    return null
  }
  const eventType = text('event_type')
  if (eventType === null) problems.push({ field: 'event_type', message: 'is missing' })
  if (!isJsonObject(fields.payload)) problems.push({ field: 'payload', message: 'must be an object' })
  const event: NewEvent = {
    source: rules.sourceFixed ? rules.source : (text('source') ?? rules.source),
    eventType: eventType ?? '',
    payload: isJsonObject(fields.payload) ? fields.payload : {},
    origin: rules.origin,
    correlationId: text('correlation_id'),
    workspaceId: text('workspace_id'),
    agentId: text('agent_id'),
    sessionId: text('session_id'),
    key: rules.key ?? text('idempotency_key'),
    body: bytes ?? Buffer.from(JSON.stringify(sent), 'utf8'),
  }
  refuseOtherTenancy(text('tenant_id'), text('reseller_id'), rules.tenancy)
  problems.push(...envelopeProblems(event))
  if (problems.length > 0) throw invalid(below(at, problems))
  refuseReserved(event)
  return event
}

/** Tenancy comes from the credential or the Host; a body that names another is refused, whoever is meant. */
function refuseOtherTenancy(tenant: string | null, reseller: string | null, tenancy: DoorTenancy): void {
  const sameTenant = tenant === null || tenant === tenancy.tenantId || tenant === tenancy.slug
  const sameReseller = reseller === null || reseller === tenancy.resellerId
  if (sameTenant && sameReseller) return
  throw new FibricError('TENANT_MISMATCH', 'the body names another tenant than the credential', {
    hint: 'leave `tenant_id` and `reseller_id` out: they are stamped from the credential',
  })
}

function mediaOf(contentType: string | undefined): 'json' | 'cloudevent' | 'cloudevent-batch' | null {
  const match =
    /^\s*application\/(json|cloudevents\+json|cloudevents-batch\+json)\s*(?:;\s*charset="?utf-8"?\s*)?$/i.exec(
      contentType ?? '',
    )
  switch (match?.[1]?.toLowerCase()) {
    case 'json':
      return 'json'
    case 'cloudevents+json':
      return 'cloudevent'
    case 'cloudevents-batch+json':
      return 'cloudevent-batch'
    default:
      return null
  }
}

function below(at: string, problems: readonly FieldProblem[]): FieldProblem[] {
  return problems.map(({ field, message }) => ({ field: at + field, message }))
}

function unsupported(): FibricError {
  return new FibricError('UNSUPPORTED_MEDIA_TYPE', 'events come as JSON or as CloudEvents in structured mode', {
    hint: 'send content-type: application/json or application/cloudevents+json',
  })
}

function invalid(problems: readonly FieldProblem[]): FibricError {
  const [first] = problems
  const said =
    first!.field === ''
      ? `the body ${first!.message}`
      : `\`${first!.field.toWellFormed().slice(0, 200)}\` ${first!.message}`
  return new FibricError('VALIDATION_FAILED', said, {
    details: {
      problems: problems
        .slice(0, 20)
        .map(({ field, message }) => ({ field: field.toWellFormed().slice(0, 200), message })),
    },
  })
}
