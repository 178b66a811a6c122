import { Errors } from '@oclif/core'
import { FibricError } from '../controller/domain/errors.ts'

/** What went wrong, in the shape of the API's error object, and the exit code it ends with. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly hint: string | null
  readonly details: { readonly [key: string]: unknown }
  readonly exit: number
}

export function failureOf(error: unknown): Failure {
  if (error instanceof FibricError) {
    const { code, message, hint, details, exitCode } = error
    return { code, message, hint, details, exit: exitCode }
  }
  if (isExit(error)) return { code: 'EXIT', message: '', hint: null, details: {}, exit: exitOf(error) }
  if (error instanceof Errors.CLIError) return usage(error)
  const message = error instanceof Error ? error.message : String(error)
  return {
    code: 'INTERNAL',
    message: `this is a defect of fibric: ${firstLine(message)}`,
    hint: 'run it again with FIBRIC_DEBUG=1 for the stack, and report it',
    details: {},
    exit: 1,
  }
}

/** oclif ends help and the like with an error that only carries a code. */
function isExit(error: unknown): error is Errors.ExitError {
  return error instanceof Errors.ExitError
}

function exitOf(error: Errors.ExitError): number {
  return error.oclif.exit === 0 ? 0 : 64
}

function usage(error: Errors.CLIError): Failure {
  // The parser's text ends in its own advice; ours is the hint.
  const message = firstLine(error.message.replace(/\n+See more help with --help\s*$/, ''))
  return {
    code: 'USAGE',
    message: message.charAt(0).toLowerCase() + message.slice(1),
    hint: 'see: fibric --help, or fibric COMMAND --help',
    details: {},
    exit: 64,
  }
}

function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.trim() !== '')
      ?.trim() ?? text
  )
}
