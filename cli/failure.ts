import { Errors } from '@oclif/core'
import { FibricError } from '../controller/domain/errors.ts'
import { closest } from '../schemas/suggest.ts'
import { usageOf } from './usage.ts'

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
  if (error instanceof Errors.CLIError) return { code: 'USAGE', ...usageOf(error), details: {}, exit: 64 }
  const message = error instanceof Error ? error.message : String(error)
  return {
    code: 'INTERNAL',
    message: `this is a defect of fibric: ${firstLine(message)}`,
    hint: 'run it again with FIBRIC_DEBUG=1 for the stack, and report it',
    details: {},
    exit: 1,
  }
}

/** No command by these words. `topic` is the first of them when others begin with it: `plans`. */
export function noSuchCommand(words: readonly string[], topic: string | null, ids: readonly string[]): FibricError {
  const names = ids.map((id) => id.replaceAll(':', ' '))
  if (topic !== null) {
    const below = names.filter((name) => name.startsWith(`${topic} `)).map((name) => name.slice(topic.length + 1))
    const known = `it has: ${below.join(', ')}`
    if (words.length === 1) return new FibricError('USAGE', `\`${topic}\` needs to know what to do`, { hint: known })
    const near = closest(words[1]!, below)
    return new FibricError('USAGE', `\`${topic}\` has no command \`${words[1]}\``, {
      hint: near === null ? known : `did you mean \`fibric ${topic} ${near}\`?`,
    })
  }
  const near = closest(words[0]!, new Set(names.map((name) => name.split(' ')[0]!)))
  return new FibricError('USAGE', `there is no command \`${words[0]}\``, {
    hint: near === null ? 'see: fibric --help' : `did you mean \`fibric ${near}\`?`,
  })
}

export function noSuchFlag(flag: string, known: readonly string[]): FibricError {
  const near = closest(flag, known)
  return new FibricError('USAGE', `there is no flag \`${flag}\``, {
    hint: near === null ? 'see: fibric --help' : `did you mean \`${near}\`?`,
  })
}

/** oclif ends help and the like with an error that only carries a code. */
function isExit(error: unknown): error is Errors.ExitError {
  return error instanceof Errors.ExitError
}

function exitOf(error: Errors.ExitError): number {
  return error.oclif.exit === 0 ? 0 : 64
}

function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.trim() !== '')
      ?.trim() ?? text
  )
}
