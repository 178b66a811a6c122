import type { Failure } from '../failure.ts'
import { paint } from './paint.ts'

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

export function renderFailure({ code, message, hint }: Failure): string {
  const color = paint(process.stderr)
  const lines = [`${color.red('error')} ${message} ${color.dim(`(${code})`)}`]
  if (hint !== null) lines.push(`${color.dim('hint:')}  ${hint}`)
  return `${lines.join('\n')}\n`
}
