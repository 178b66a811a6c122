import type { Json, JsonObject } from '../../controller/domain/json.ts'
import { below, type SchemaProblem } from '../problem.ts'
import { absent, type DocumentRule, exactlyOne, listOf, objectOf, objectsIn, problem } from './rule-kit.ts'
import { trustRules } from './TrustPolicy.ts'

export const operator: DocumentRule = (spec) => [
  ...(spec.trigger === undefined ? [] : trigger(objectOf(spec.trigger))),
  ...(spec.reason === undefined ? [] : exactlyOne(objectOf(spec.reason), ['rules', 'model'], '/spec/reason')),
  ...senseNames(spec.sense),
  ...allowed(spec),
  ...trustRules(listOf(spec.guardrails), '/spec/guardrails'),
]

function trigger(value: JsonObject): SchemaProblem[] {
  const problems = exactlyOne(value, ['on', 'every', 'cron', 'ask'], '/spec/trigger')
  if (value.cron === undefined)
    problems.push(...absent(value, 'timeZone', '/spec/trigger', 'is read together with `cron` only'))
  if (value.on === undefined)
    problems.push(...absent(value, 'orderBy', '/spec/trigger', 'orders events, and needs `on`'))
  return problems
}

const reservedNames = new Set(['event', 'action', 'now'])

function senseNames(sense: Json | undefined): SchemaProblem[] {
  const seen = new Set<Json>()
  return objectsIn(sense, '/spec/sense').flatMap(({ item, at }) => {
    const name = item.as
    if (typeof name !== 'string') return []
    const place = below(at, 'as')
    if (reservedNames.has(name)) {
      return [
        problem(
          'CONFLICTING_FIELDS',
          place,
          `\`${name}\` already means something in expressions`,
          'choose another name',
        ),
      ]
    }
    if (seen.has(name)) return [problem('DUPLICATE_ITEM', place, `\`${name}\` is the name of an earlier read`)]
    seen.add(name)
    return []
  })
}

/** A capability that is used and not listed would be refused at every run: say so now. */
function allowed(spec: JsonObject): SchemaProblem[] {
  const capabilities = listOf(spec.capabilities)
  const proposals = objectsIn(objectOf(spec.reason).rules, '/spec/reason/rules').flatMap(({ item, at }) =>
    objectsIn(item.propose, below(at, 'propose')),
  )
  return [...objectsIn(spec.sense, '/spec/sense'), ...proposals].flatMap(({ item, at }) => {
    const { capability } = item
    if (typeof capability !== 'string' || capabilities.includes(capability)) return []
    const message = `\`${capability}\` is not in \`spec.capabilities\``
    return [
      problem('CONFLICTING_FIELDS', below(at, 'capability'), message, `add \`${capability}\` to \`spec.capabilities\``),
    ]
  })
}
