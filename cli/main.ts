import { fileURLToPath } from 'node:url'
import { run } from '@oclif/core'
import { failureOf } from './failure.ts'
import { writeFailure } from './views/failure.ts'

/**
 * Runs one command line and answers its exit code. Every error ends here, the parser's and an unknown command's too, so
 * that all of them have the same shape and the documented codes, as JSON when that was asked for.
 */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const result = await run([...argv], { root: fileURLToPath(new URL('..', import.meta.url)) })
    return typeof result === 'number' ? result : 0
  } catch (error) {
    const failure = failureOf(error)
    writeFailure(failure, wantsJson(argv))
    return failure.exit
  }
}

function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end === -1 ? undefined : end).includes('--json')
}
