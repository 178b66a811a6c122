import { checkExpression, type JsonSchema } from '../../controller/domain/expression.ts'
import type { JsonObject } from '../../controller/domain/json.ts'
import { parseTemplate } from '../../controller/domain/template.ts'
import type { FieldExpression } from '../field-schema.ts'
import type { Report } from './analyse-document.ts'
import { namesInScope } from './expression-scopes.ts'
import type { DeferredExpression } from './facts.ts'
import type { ParsedDocument } from './parse-yaml.ts'
import { factPlace } from './places.ts'
import type { SourceText, Span } from './source-text.ts'

/** A marked field and what surrounds it. */
export interface ExpressionSubject {
  readonly spec: JsonObject
  /** Pointer of the text within the document. */
  readonly pointer: string
  readonly document: ParsedDocument
  readonly source: SourceText
  readonly report: Report
  /** Where an operator's expressions are put: their names get types from other documents. */
  readonly deferred: DeferredExpression[]
}

/** Checks every expression in a marked text, or puts it off until the rest of the repository is known. */
export function checkExpressionField(subject: ExpressionSubject, text: string, expression: FieldExpression): void {
  if (endsInComment(subject, text, expression)) {
    const hint = 'quote the whole value: an unquoted ` #` begins a comment'
    subject.report('UNQUOTED_EXPRESSION', subject.pointer, 'value', 'the expression is cut off by a comment', hint)
  } else if (expression.form === 'cel') {
    checkSource(subject, text, text, expression, expression.result)
  } else if (text.includes('${')) {
    checkTemplate(subject, text, expression)
  }
}

function checkTemplate(subject: ExpressionSubject, text: string, expression: FieldExpression): void {
  const parsed = parseTemplate(text)
  if ('problem' in parsed) {
    const { message, hint } = parsed.problem
    subject.report('EXPRESSION_INVALID', subject.pointer, 'value', message, hint)
    return
  }
  // Only a text that is exactly one expression keeps the expression's type.
  const result = parsed.parts.length === 1 ? expression.result : 'any'
  for (const part of parsed.parts) {
    if (typeof part !== 'string') checkSource(subject, text, part.source, expression, result)
  }
}

function checkSource(
  subject: ExpressionSubject,
  text: string,
  source: string,
  expression: FieldExpression,
  result: FieldExpression['result'],
): void {
  const { span, exact } = spanOfSource(subject, text, source)
  const { scope } = expression
  if (scope === 'operator.sense' || scope === 'operator.rules') {
    const place = factPlace(subject.source, span)
    subject.deferred.push({ source, scope, sensed: sensedBefore(subject), result, place, exact })
    return
  }
  const names = namesInScope(scope, subject.spec, subject.pointer.slice('/spec'.length)) as {
    readonly [name: string]: JsonSchema | null
  }
  for (const problem of checkExpression(source, { names, result })) {
    const start = exact ? span.start + problem.offset : span.start
    const end = exact ? start + problem.length : span.end
    subject.report('EXPRESSION_INVALID', subject.pointer, 'value', problem.message, problem.hint, 'error', {
      start,
      end,
    })
  }
}

/** Where the source stands in the file: exactly, unless quotes or folding changed its letters. */
function spanOfSource(subject: ExpressionSubject, text: string, source: string): { span: Span; exact: boolean } {
  const span = subject.document.locate(subject.pointer, 'value')
  const written = subject.source.text.slice(span.start, span.end)
  const at = written.indexOf(source)
  // The same expression twice in one text: which one it is cannot be told from here, so the whole text is shown.
  if (at === -1 || source.includes('\n') || (text !== source && text.indexOf(source) !== text.lastIndexOf(source))) {
    return { span, exact: false }
  }
  return { span: { start: span.start + at, end: span.start + at + source.length }, exact: true }
}

/** How many `sense` entries an expression can see: those before its own, or all of them. */
function sensedBefore(subject: ExpressionSubject): number {
  const own = /^\/spec\/sense\/(\d+)/.exec(subject.pointer)?.[1]
  if (own !== undefined) return Number(own)
  // The ordering key is computed before anything is read.
  if (subject.pointer.startsWith('/spec/trigger')) return 0
  return Array.isArray(subject.spec.sense) ? subject.spec.sense.length : 0
}

function endsInComment(subject: ExpressionSubject, text: string, expression: FieldExpression): boolean {
  if (expression.form === 'template' && !text.includes('${')) return false
  const written = subject.document.scalarText(subject.pointer)
  return written?.plain === true && written.comment !== null
}
