import type { JsonObject } from '../../controller/domain/json.ts'
import { below, type SchemaProblem } from '../problem.ts'
import { absent, objectOf, required } from './rule-kit.ts'

const eventFields = {
  webhook: ['topic', 'verify', 'register', 'unregister'],
  poll: ['every', 'request', 'pages', 'overlap', 'items', 'cursor', 'tieBreak'],
}

/** What an event needs, and must not have, by the way it arrives. */
export function connectorEvent(value: JsonObject, at: string): SchemaProblem[] {
  if (value.kind !== 'webhook' && value.kind !== 'poll') return []
  const other = value.kind === 'webhook' ? 'poll' : 'webhook'
  const problems = eventFields[other].flatMap((name) => absent(value, name, at, `belongs to \`kind: ${other}\``))
  const needed = value.kind === 'webhook' ? ['verify'] : ['every', 'request', 'items', 'cursor', 'idempotencyKey']
  problems.push(...needed.flatMap((name) => required(value, name, at, `\`kind: ${value.kind}\` needs it`)))
  const verify = objectOf(value.verify)
  if (verify.scheme === 'hmac-sha256') {
    problems.push(
      ...required(verify, 'header', below(at, 'verify'), 'the scheme does not say which header carries the signature'),
    )
  } else if (verify.scheme !== undefined) {
    for (const name of ['header', 'encoding']) {
      problems.push(...absent(verify, name, below(at, 'verify'), `belongs to \`scheme: hmac-sha256\``))
    }
  }
  return problems
}
