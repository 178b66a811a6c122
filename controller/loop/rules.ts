import { parseDurationMs } from '../domain/duration.ts'
import { compileExpression, ExpressionError, type ExpressionNames, evaluate } from '../domain/expression.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import { renderJson } from '../domain/render-json.ts'
import { parseTemplate, renderTemplate, type TemplatePlace } from '../domain/template.ts'
import type { Proposal } from '../executor/effects/propose.ts'

/**
 * What an operator's rules propose of what was sensed, in order. Deterministic: the same names give the same proposals.
 * Throws an `ExpressionError` where an expression fails: never a silent false.
 */
export function reasonByRules(rules: readonly Json[], names: ExpressionNames): Proposal[] {
  return rules.flatMap((rule, index) => {
    if (!isJsonObject(rule)) return []
    if (!holds(String(rule.when), names, index)) return []
    const propose = Array.isArray(rule.propose) ? rule.propose : []
    return propose.filter((each) => isJsonObject(each)).map((each) => proposalOf(each, names))
  })
}

/** A text with expressions in it, for the place it will stand in. */
export function renderText(text: string, names: ExpressionNames, place: TemplatePlace): Json {
  const parsed = parseTemplate(text)
  if ('problem' in parsed) throw new ExpressionError(parsed.problem)
  return renderTemplate(parsed.parts, names, place)
}

function holds(when: string, names: ExpressionNames, index: number): boolean {
  const value = evaluate(compileExpression(when), names)
  if (typeof value === 'boolean') return value
  const message = `condition ${index + 1} is neither true nor false`
  throw new ExpressionError({ message, offset: 0, length: when.length, hint: null })
}

function proposalOf(rule: JsonObject, names: ExpressionNames): Proposal {
  const args = renderJson(rule.args ?? {}, names)
  return {
    capability: String(rule.capability),
    args: isJsonObject(args) ? args : {},
    value: typeof rule.value === 'string' ? amountOf(renderText(rule.value, names, 'text')) : null,
    key: typeof rule.key === 'string' ? String(renderText(rule.key, names, 'key')) : null,
    withinMs: typeof rule.within === 'string' ? parseDurationMs(rule.within) : null,
  }
}

function amountOf(value: Json): string {
  if (typeof value === 'number' || (typeof value === 'string' && value !== '')) return String(value)
  throw new ExpressionError({ message: 'the value is no number', offset: 0, length: 1, hint: null })
}
