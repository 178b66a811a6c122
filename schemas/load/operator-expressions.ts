import { hash } from 'node:crypto'
import type { ExpressionScope } from '../../controller/domain/expression.ts'
import type { Json } from '../../controller/domain/json.ts'
import type { DomainOffers } from './capabilities.ts'
import type { Claims, DeferredExpression, FactPlace } from './facts.ts'
import { compareText, type Findings } from './findings.ts'
import type { ParseCache } from './parse-cache.ts'
import type { LoadedResource, ResourceIndex } from './resources.ts'

type ScopeNames = ExpressionScope['names']

/** A problem of one operator's expression, as it is kept: which operator and where. */
interface OperatorProblem {
  readonly operator: number
  readonly message: string
  readonly hint: string | null
  readonly place: FactPlace
}

/**
 * Checks the expressions of every operator with the types that its domain's connectors give to events and answers.
 *
 * The result for a domain is kept by what it depends on, the operators and the connectors, so that nothing is checked
 * twice; the checker itself is loaded only when something is to be checked.
 */
export async function checkOperatorExpressions(
  index: ResourceIndex,
  domains: ReadonlyMap<string, DomainOffers>,
  cache: ParseCache,
  findings: Findings,
): Promise<void> {
  const operators = new Map<string, LoadedResource[]>()
  for (const resource of index.values()) {
    if (resource.inheritedFrom || resource.facts.expressions.length === 0) continue
    const list = operators.get(resource.slug)
    if (list) list.push(resource)
    else operators.set(resource.slug, [resource])
  }
  const scopes = new Map<string, ScopeNames>()
  for (const [slug, list] of operators) {
    const offers = domains.get(slug)
    if (!offers) continue
    list.sort((a, b) => compareText(a.address, b.address))
    const key = checkKey(list, offers)
    const known = cache.result(key) as readonly OperatorProblem[] | undefined
    const problems = known ?? (await checkAll(list, offers, scopes))
    if (!known) cache.rememberResult(key, problems as unknown as Json)
    for (const { operator, message, hint, place } of problems) {
      findings.add({ code: 'EXPRESSION_INVALID', message, hint, path: list[operator]!.path, place })
    }
  }
}

function checkKey(operators: readonly LoadedResource[], offers: DomainOffers): string {
  const parts = operators.map(({ file, facts }) => `${file.key}#${facts.index}`)
  return `operators:${hash('sha256', `${parts.join(' ')}|${offers.key}`, 'hex')}`
}

async function checkAll(
  operators: readonly LoadedResource[],
  offers: DomainOffers,
  scopes: Map<string, ScopeNames>,
): Promise<OperatorProblem[]> {
  const { checkExpression } = await import('../../controller/domain/expression.ts')
  const problems: OperatorProblem[] = []
  for (const [operator, { facts }] of operators.entries()) {
    const names = namesBySensed(facts.claims as Claims & { of: 'operator' }, offers, scopes)
    for (const expression of facts.expressions) {
      for (const problem of checkExpression(expression.source, {
        names: names(expression.sensed),
        result: expression.result,
      })) {
        problems.push({ operator, message: problem.message, hint: problem.hint, place: placeOf(expression, problem) })
      }
    }
  }
  return problems
}

/**
 * The names in scope after a number of `sense` entries. Operators that see the same get the same object, because the
 * checker builds an environment an object, which takes ten times as long as a check.
 */
function namesBySensed(claims: Claims & { of: 'operator' }, offers: DomainOffers, known: Map<string, ScopeNames>) {
  const event = eventSchema(payloadSchema(claims.on, offers))
  return (sensed: number): ScopeNames => {
    const senses = claims.senses
      .slice(0, sensed)
      .map(({ as, capability }) => [as, only(offers.outputs.get(capability))])
    const names = { event, now: null, ...Object.fromEntries(senses) } as ScopeNames
    const key = JSON.stringify(names)
    const same = known.get(key) ?? names
    known.set(key, same)
    return same
  }
}

/** The schema all the triggering events share; null when they differ, or when a glob may match what has none. */
function payloadSchema(on: readonly string[], offers: DomainOffers): Json {
  if (on.some((glob) => glob.includes('*'))) return null
  return only(on.flatMap((eventType) => offers.events.get(eventType) ?? [null]))
}

function only(schemas: readonly Json[] | undefined): Json {
  const [first = null, ...others] = schemas ?? []
  const text = JSON.stringify(first)
  return others.every((other) => JSON.stringify(other) === text) ? first : null
}

/** The event envelope: ten fields, absence is null (governed-execution.md, section 1). */
function eventSchema(payload: Json): Json {
  const text = { type: 'string' }
  return {
    type: 'object',
    properties: {
      ...{ event_id: text, reseller_id: {}, tenant_id: text, workspace_id: {}, source: text, event_type: text },
      ...{ correlation_id: text, payload: payload ?? {}, agent_id: {}, session_id: {} },
    },
  }
}

function placeOf(expression: DeferredExpression, problem: { offset: number; length: number }): FactPlace {
  const [line, column, endLine, endColumn] = expression.place
  if (!expression.exact) return [line, column, endLine, endColumn]
  const start = column + problem.offset
  return [line, start, line, start + problem.length]
}
