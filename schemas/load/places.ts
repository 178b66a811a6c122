import type { FactPlace, LocalProblem } from './facts.ts'
import type { ParseProblem } from './parse-problem.ts'
import type { SourceText, Span } from './source-text.ts'

export function factPlace(source: SourceText, span: Span): FactPlace {
  const start = source.placeAt(span.start)
  const end = source.placeAt(Math.max(span.end, span.start))
  return [start.line, start.column, end.line, end.column]
}

export function localProblem(
  source: SourceText,
  problem: ParseProblem,
  severity: LocalProblem['severity'] = 'error',
): LocalProblem {
  const { code, message, hint, span, related } = problem
  return {
    code,
    severity,
    message,
    hint,
    place: factPlace(source, span),
    snippet: source.snippetAt(span.start),
    related: related ? [{ message: related.message, place: factPlace(source, related.span) }] : [],
  }
}
