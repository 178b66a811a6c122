import type { Diagnostic } from '../../schemas/index.ts'
import type { Failure } from '../failure.ts'
import { paint } from './paint.ts'
import { renderDiagnosticList } from './validate.ts'

/** An error as the terminal shows it (stderr), or as the API would answer it (stdout, with `--json`). */
export function writeFailure(failure: Failure, json: boolean): void {
  if (failure.message === '') return
  if (json) {
    const { code, message, hint, details } = failure
    const error = { type: 'error', code, message, hint, ...(Object.keys(details).length > 0 ? { details } : {}) }
    process.stdout.write(`${JSON.stringify({ error }, null, 2)}\n`)
    return
  }
  process.stderr.write(renderFailure(failure))
}

const diagnosticsShownMax = 10

export function renderFailure({ code, message, hint, details }: Failure): string {
  const color = paint(process.stderr)
  const found = (Array.isArray(details.diagnostics) ? details.diagnostics : []) as readonly Diagnostic[]
  const errors = found.filter(({ severity }) => severity === 'error').slice(0, diagnosticsShownMax)
  const lines = [
    ...(errors.length > 0 ? [renderDiagnosticList(errors, color)] : []),
    `${color.red('error')} ${message} ${color.dim(`(${code})`)}`,
  ]
  if (hint !== null) lines.push(`${color.dim('hint:')}  ${hint}`)
  return `${lines.join('\n')}\n`
}
