import { join } from 'node:path'
import { Help } from '@oclif/core'
import { readCommandLine, wantsJson } from './command-line.ts'
import { failureOf, noSuchCommand, noSuchFlag } from './failure.ts'
import { commandIds, loadConfig, runCommand } from './manifest/load-config.ts'
import { writeFailure } from './views/failure.ts'

/**
 * Runs one command line and answers its exit code. Every error ends here, the parser's and an unknown command's too, so
 * that all of them have the same shape and the documented codes, as JSON when that was asked for.
 */
export async function main(argv: readonly string[]): Promise<number> {
  endOnInterrupt()
  try {
    const config = await loadConfig(join(import.meta.dirname, '..'))
    const ids = commandIds(config)
    const request = readCommandLine(argv, ids)
    switch (request.ask) {
      case 'help':
        await new Help(config, config.pjson.oclif.helpOptions).showHelp(
          request.id === null ? [] : request.id.split(':'),
        )
        return 0
      case 'unknown':
        throw noSuchCommand(request.words, request.topic, ids)
      case 'flag':
        throw noSuchFlag(request.flag, ['--help', '--version', '--json'])
      case 'run': {
        const result = await runCommand(config, request.id, request.argv)
        return typeof result === 'number' ? result : 0
      }
    }
  } catch (error) {
    const failure = failureOf(error)
    writeFailure(failure, wantsJson(argv))
    if (failure.code === 'INTERNAL' && process.env.FIBRIC_DEBUG) process.stderr.write(`${stackOf(error)}\n`)
    return failure.exit
  }
}

/** A command that has something to finish listens itself, and is then left to it. */
function endOnInterrupt(): void {
  process.on('SIGINT', () => {
    if (process.listenerCount('SIGINT') === 1) process.exit(130)
  })
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
