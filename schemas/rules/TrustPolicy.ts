import type { JsonObject } from '../../controller/domain/json.ts'
import type { SchemaProblem } from '../problem.ts'
import {
  absent,
  type DocumentRule,
  isPlatform,
  listOf,
  objectOf,
  objectsIn,
  platformOnly,
  repeated,
  required,
} from './rule-kit.ts'

export const trustPolicy: DocumentRule = (spec, context) => [
  ...(isPlatform(context) ? [] : tenantScope(objectOf(spec.appliesTo))),
  ...trustRules(listOf(spec.rules), '/spec/rules'),
]

/** Problems of a list of trust rules: a policy's, or the guardrails of an operator. */
export function trustRules(rules: readonly (JsonObject | unknown)[], pointer: string): SchemaProblem[] {
  const list = rules as readonly JsonObject[]
  return [
    ...repeated(list, 'id', pointer, 'rule'),
    ...objectsIn(list, pointer).flatMap(({ item, at }) => trustRule(item, at)),
  ]
}

function tenantScope(appliesTo: JsonObject): SchemaProblem[] {
  return ['tenants', 'resellers', 'environments']
    .filter((name) => listOf(appliesTo[name]).length > 0)
    .flatMap((name) => platformOnly(appliesTo, name, '/spec/appliesTo'))
}

function trustRule(rule: JsonObject, at: string): SchemaProblem[] {
  const { decision, alert } = rule
  const asks = decision === 'ALERT' || objectOf(rule.require).otherwise === 'ALERT'
  const problems: SchemaProblem[] = []
  if (decision !== 'ALLOW') {
    const hint = 'give an end to an ALLOW rule instead: when it ends, less is allowed'
    problems.push(
      ...absent(rule, 'expiresAt', at, 'stands on ALLOW rules only: anywhere else time alone would widen', hint),
    )
  }
  if (decision === undefined) {
    problems.push(...required(rule, 'require', at, 'a rule without `decision` is a constraint and needs what it binds'))
  }
  if (asks) problems.push(...required(rule, 'alert', at, 'a rule that alerts says who is asked', askHint))
  else problems.push(...absent(rule, 'alert', at, 'needs `decision: ALERT` or `require.otherwise: ALERT`'))
  if (asks && alert !== undefined) problems.push(...alerting(objectOf(alert), `${at}/alert`))
  return problems
}

const askHint = 'add `alert: {mode: hold, approvers: {role: …}}`, or `alert: {mode: notify}`'

function alerting(alert: JsonObject, at: string): SchemaProblem[] {
  if (alert.mode !== 'notify') return required(alert, 'approvers', at, 'a hold needs somebody who may end it')
  return ['approvers', 'expiresIn', 'separateFrom'].flatMap((name) =>
    absent(alert, name, at, 'has no meaning for `mode: notify`, which waits for nobody'),
  )
}
