import { compileUserSchema } from '../../schemas/index.ts'
import type { DeadLetterReason } from '../domain/dead-letter.ts'
import { digestBytes } from '../domain/digest.ts'
import { envelopeProblems, isReserved, type NewEvent } from '../domain/envelope.ts'
import { FibricError } from '../domain/errors.ts'
import { ExpressionError } from '../domain/expression.ts'
import type { TenantId } from '../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import { parseTemplate, renderTemplate, type TemplatePlace } from '../domain/template.ts'
import type { Database } from '../store/connect.ts'
import { writeDeadLetter } from '../store/dead-letters.ts'
import type { Admission } from './admission.ts'
import { appendEvents } from './append.ts'
import { eventKey } from './content.ts'
import { parseExactJson } from './exact-json.ts'
import { letterOf, type Unusable } from './letters.ts'
import { isVerified, type RawRequest, signedId } from './verify.ts'
import { resolveWebhook, type WebhookInForce } from './webhooks-in-force.ts'

export interface WebhookDoor {
  readonly database: Database
  readonly admission: Admission
  /** The live versions of a credential's field `webhook`, newest first. */
  readonly secrets: (tenantId: TenantId, credential: string) => Promise<readonly Uint8Array[]>
  readonly clock: () => Date
}

export interface WebhookDelivery extends UnverifiedDelivery {
  readonly tenantId: TenantId
  readonly slug: string
}

export interface UnverifiedDelivery extends RawRequest {
  readonly connection: string
  readonly eventType: string
  /** The path it came in by, for expressions that name `ingest.url`. */
  readonly path: string
}

export type WebhookOutcome =
  | { readonly outcome: 'appended' | 'duplicate'; readonly eventId: string }
  /** Verified, and kept where a person finds it: sending it again would change nothing. */
  | { readonly outcome: 'dead_letter'; readonly letterId: string; readonly reason: DeadLetterReason }

/**
 * Takes one webhook in: verified on the raw bytes before anything is parsed, appended, then acknowledged. What the sender
 * cannot mend (a conflict, our own mapping) is kept as a dead letter, for senders repeat errors for days and then give up.
 */
export async function receiveWebhook(door: WebhookDoor, delivery: WebhookDelivery): Promise<WebhookOutcome> {
  const hook = await resolveWebhook(door.database, delivery)
  const credential = hook?.credential ?? null
  const secrets = credential === null ? [] : await door.secrets(delivery.tenantId, credential)
  // One answer for everything that proves nothing: which names exist is nobody's business.
  if (hook === null || !isVerified(hook.verification, delivery, secrets, door.clock())) throw unverified()
  await door.admission.admit(delivery.tenantId, delivery.slug)
  const event = eventOfDelivery(hook, delivery)
  if ('reason' in event) return keep(door, delivery, event)
  const [appended] = await appendEvents(door.database, delivery.tenantId, [event], door.clock)
  if (appended!.outcome !== 'conflict') return { outcome: appended!.outcome, eventId: appended!.eventId }
  const message = `the key stands for other content: event \`${appended!.eventId}\``
  return keep(door, delivery, {
    ...unusable(delivery, 'idempotency_conflict', message, event.key ?? null),
    eventId: appended!.eventId,
  })
}

/** What a delivery that is verified becomes, by what its Connector says of it now. */
export function eventOfDelivery(hook: WebhookInForce, delivery: UnverifiedDelivery): NewEvent | Unusable {
  return eventFrom(hook, delivery, parsedBody(delivery, hook.bigNumbers))
}

function eventFrom(hook: WebhookInForce, delivery: UnverifiedDelivery, body: Json): NewEvent | Unusable {
  const names = {
    config: hook.config,
    ingest: { url: delivery.path },
    request: { headers: withoutGaps(delivery.headers), body },
  }
  let payload: Json
  let key: string
  try {
    payload = rendered(hook.payload, names, 'json')
    key = keyOf(hook, delivery, names)
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    return unusable(delivery, 'expression_failed', error.message, null)
  }
  if (!isJsonObject(payload)) return unusable(delivery, 'validation_failed', 'the payload is not an object', key)
  const event: NewEvent = {
    source: delivery.connection,
    eventType: delivery.eventType,
    payload,
    origin: 'webhook',
    key,
    body: delivery.body,
  }
  const problems = envelopeProblems(event)
  if (problems.length > 0)
    return unusable(delivery, 'validation_failed', `\`${problems[0]!.field}\` ${problems[0]!.message}`, null)
  if (isReserved(event)) return unusable(delivery, 'validation_failed', 'the type or the source is reserved', key)
  const misfits = hook.schema === null ? [] : compileUserSchema(hook.schema).validate(payload)
  return misfits.length > 0 ? unusable(delivery, 'validation_failed', misfits[0]!.message, key) : event
}

/**
 * What the connector says, else the sender's id where the signature covers it, else the body's digest: then a repeated
 * delivery is recognised whatever its unsigned headers say.
 */
function keyOf(hook: WebhookInForce, delivery: UnverifiedDelivery, names: Names): string {
  const written = hook.key === null ? null : rendered(hook.key, names, 'key')
  const key =
    typeof written === 'string' && written !== ''
      ? written
      : (signedId(hook.verification, delivery) ?? digestBytes(delivery.body))
  return eventKey(key)
}

type Names = { readonly [name: string]: Json }

/** A value with every text in it rendered. */
function rendered(value: Json, names: Names, place: TemplatePlace): Json {
  if (typeof value === 'string') {
    const template = parseTemplate(value)
    if ('problem' in template) throw new ExpressionError(template.problem)
    return renderTemplate(template.parts, names, place)
  }
  if (Array.isArray(value)) return value.map((item) => rendered(item, names, place))
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, rendered(member, names, place)]))
}

/** JSON where it is said to be, a form's fields, else text. */
function parsedBody(delivery: UnverifiedDelivery, bigNumbers: 'refuse' | 'string'): Json {
  const media = (delivery.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  if (media === 'application/x-www-form-urlencoded') {
    return Object.fromEntries(new URLSearchParams(delivery.body.toString('utf8')))
  }
  if (media !== '' && media !== 'application/json' && !media.endsWith('+json')) return delivery.body.toString('utf8')
  return parseExactJson(delivery.body, bigNumbers)
}

function withoutGaps(headers: RawRequest['headers']): JsonObject {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

async function keep(door: WebhookDoor, delivery: WebhookDelivery, unusable: Unusable): Promise<WebhookOutcome> {
  const letter = letterOf(delivery.tenantId, unusable, door.clock())
  await door.database.asWorker([delivery.tenantId], (tx) => writeDeadLetter(tx, letter))
  return { outcome: 'dead_letter', letterId: letter.letter_id, reason: letter.reason }
}

function unusable(
  delivery: UnverifiedDelivery,
  reason: DeadLetterReason,
  message: string,
  key: string | null,
): Unusable {
  const { connection, eventType, path, body } = delivery
  const headers = Object.fromEntries(
    Object.entries(withoutGaps(delivery.headers)).filter(([name]) => !credentialHeaders.has(name)),
  )
  const told = { reason, message, eventId: null, key, source: connection, eventType, origin: 'webhook' as const }
  return { ...told, request: { path, headers }, body }
}

/** Who keeps a letter keeps no password with it. */
const credentialHeaders: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization'])

function unverified(): FibricError {
  return new FibricError('WEBHOOK_UNVERIFIED', 'the request is not verified as coming from the provider', {
    hint: 'check the path, the signing secret and the clock of the sender',
  })
}
