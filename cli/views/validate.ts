import type { Diagnostic } from '../../schemas/index.ts'
import { type LoadedRepository, renderDiagnostics } from '../../schemas/load/index.ts'
import { type Paint, plainPaint } from './paint.ts'

/** What validation found, in numbers. */
export interface Judgement {
  readonly valid: boolean
  readonly documents: number
  readonly domains: number
  readonly errors: number
  readonly warnings: number
}

export function judgeRepository({ resources, diagnostics }: LoadedRepository, strict: boolean): Judgement {
  const written = resources.filter(({ inheritedFrom }) => inheritedFrom === null)
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length
  const warnings = diagnostics.length - errors
  return {
    valid: errors === 0 && !(strict && warnings > 0),
    documents: written.length,
    domains: new Set(written.map(({ slug }) => slug)).size,
    errors,
    warnings,
  }
}

/** `12 documents in 3 domains are valid`. */
export function renderJudgement({ documents, domains, warnings }: Judgement): string {
  const verb = documents === 1 ? 'is' : 'are'
  const remark = warnings > 0 ? `, with ${counted(warnings, 'warning')}` : ''
  return `${counted(documents, 'document')} in ${counted(domains, 'domain')} ${verb} valid${remark}`
}

/** Every problem with its source line, and their number at the end; empty when there are none. */
export function renderDiagnosticList(diagnostics: readonly Diagnostic[], paint: Paint): string {
  return renderDiagnostics(diagnostics, { color: paint !== plainPaint })
}

export function validationJson(judgement: Judgement, diagnostics: readonly Diagnostic[]) {
  return { object: 'validation', ...judgement, diagnostics }
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** A remark for views of a repository that has errors: what could not be read is not in them. Null when it has none. */
export function incompleteNote({ diagnostics }: LoadedRepository, name: string): string | null {
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length
  if (errors === 0) return null
  return `warning: ${name} has ${counted(errors, 'error')}, so something may be missing here; see: fibric validate`
}
