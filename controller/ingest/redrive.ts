import type { NewEvent } from '../domain/envelope.ts'
import { FibricError } from '../domain/errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import type { Database } from '../store/connect.ts'
import type { DeadLetter } from '../store/dead-letters.ts'
import { eventKey } from './content.ts'
import type { Unusable } from './letters.ts'
import { eventOfItem } from './poll-item.ts'
import { eventOfTick } from './schedules.ts'
import { schedulesInForce } from './schedules-in-force.ts'
import { eventOfDelivery } from './webhook.ts'
import { resolveEvent, resolveWebhook } from './webhooks-in-force.ts'

/**
 * The event that a letter makes by what is applied now: its Connector may say better than when it came. Throws where it
 * still makes none. What conflicted with another event gets a key of its own: a person says that it is another one.
 */
export async function eventOfLetter(database: Database, slug: string, letter: DeadLetter): Promise<NewEvent> {
  const made = await madeAgain(database, slug, letter)
  if (made === null) {
    throw new FibricError('STATE_CONFLICT', `what \`${letter.letter_id}\` came in by is not there any more`, {
      hint: 'apply its connection or schedule again, and redrive it then',
    })
  }
  if ('reason' in made) {
    throw new FibricError('VALIDATION_FAILED', `\`${letter.letter_id}\` still makes no event: ${made.message}`, {
      hint: 'correct the connector, apply it, and redrive the letter then',
    })
  }
  if (letter.reason !== 'idempotency_conflict') return made
  return { ...made, key: eventKey(`${letter.idempotency_key}#${letter.letter_id}`) }
}

async function madeAgain(database: Database, slug: string, letter: DeadLetter): Promise<NewEvent | Unusable | null> {
  const { tenant_id: tenantId, source: connection, event_type: eventType, body } = letter
  const request = requestOf(letter)
  const name = { tenantId, slug, connection, eventType }
  switch (letter.origin) {
    case 'webhook': {
      const hook = await resolveWebhook(database, name)
      if (hook === null || body === null) return null
      const headers = (isJsonObject(request.headers) ? request.headers : {}) as { readonly [name: string]: string }
      return eventOfDelivery(hook, { connection, eventType, path: String(request.path), headers, body })
    }
    case 'poll': {
      const found = await resolveEvent(database, name)
      if (found === null || body === null) return null
      const config = isJsonObject(found.connection.config) ? found.connection.config : {}
      const asked = { cursor: request.cursor ?? null, response: null }
      const item = JSON.parse(body.toString('utf8')) as Json
      return eventOfItem({ ...name, config, event: found.event }, { item, asked, key: letter.idempotency_key ?? '' })
    }
    case 'internal': {
      const schedules = await schedulesInForce(database)
      const schedule = schedules.find((each) => each.tenantId === tenantId && each.name === request.schedule)
      return schedule ? eventOfTick(schedule, new Date(String(request.tick))) : null
    }
    case 'run':
      return null
  }
}

function requestOf({ request }: DeadLetter): JsonObject {
  const value = request === null ? {} : (JSON.parse(request.toString('utf8')) as Json)
  return isJsonObject(value) ? value : {}
}
