import { compileUserSchema } from '../../schemas/index.ts'
import { envelopeProblems, isReserved, type NewEvent } from '../domain/envelope.ts'
import { ExpressionError } from '../domain/expression.ts'
import { isJsonObject, type Json } from '../domain/json.ts'
import type { PollItem } from '../domain/poll.ts'
import { renderJson } from '../domain/render-json.ts'
import { payloadBytes } from './content.ts'
import type { Unusable } from './letters.ts'
import { ingestOf } from './poll-page.ts'
import type { Poll } from './poll-source.ts'

/** The event an item becomes; a letter where it makes none, for asking again would bring the same. */
export function eventOfItem(
  poll: Pick<Poll, 'slug' | 'config' | 'connection' | 'eventType' | 'event'>,
  { item, asked, key }: Omit<PollItem, 'cursor'>,
): NewEvent | Unusable {
  const { connection, eventType } = poll
  const unusable = (reason: 'expression_failed' | 'validation_failed', message: string): Unusable => ({
    ...{ reason, message, key, source: connection, eventType, origin: 'poll', eventId: null },
    // Not the answer: it may be large, and the item is of it.
    request: { cursor: asked.cursor },
    body: payloadBytes(item),
  })
  let payload: Json
  try {
    const { payload: template } = poll.event
    const names = { config: poll.config, ingest: ingestOf(poll), item, ...asked }
    payload = template === undefined ? item : renderJson(template, names)
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    return unusable('expression_failed', error.message)
  }
  if (!isJsonObject(payload)) return unusable('validation_failed', 'the payload is not an object')
  const event: NewEvent = { source: connection, eventType, payload, origin: 'poll', key }
  const [problem] = envelopeProblems(event)
  if (problem) return unusable('validation_failed', `\`${problem.field}\` ${problem.message}`)
  if (isReserved(event)) return unusable('validation_failed', 'the type or the source is reserved')
  const schema = isJsonObject(poll.event.schema) ? poll.event.schema : null
  const misfits = schema === null ? [] : compileUserSchema(schema).validate(payload)
  return misfits.length > 0 ? unusable('validation_failed', misfits[0]!.message) : event
}
