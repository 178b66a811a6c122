import { join } from 'node:path'
import { Help } from '@oclif/core'
import { readCommandLine, wantsJson } from './command-line.ts'
import { failureOf, noSuchCommand, noSuchFlag } from './failure.ts'
import { findCommands, loadConfig } from './manifest/load-config.ts'
import { runCommand } from './run-command.ts'
import { writeFailure } from './views/failure.ts'

/**
 * Runs one command line and answers its exit code. Every error ends here, the parser's and an unknown command's too, so
 * that all of them have the same shape and the documented codes, as JSON when that was asked for.
 */
export async function main(argv: readonly string[]): Promise<number> {
  endOnInterrupt()
  try {
    const root = packageRoot()
    const { ids } = await findCommands(root)
    const request = readCommandLine(argv, ids)
    switch (request.ask) {
      case 'run':
        return await runCommand(root, request.id, request.argv)
      case 'help':
        await showHelp(root, request.id)
        return 0
      case 'unknown':
        throw noSuchCommand(request.words, request.topic, ids)
      case 'flag':
        throw noSuchFlag(request.flag, ['--help', '--version', '--json'])
    }
  } catch (error) {
    const failure = failureOf(error)
    writeFailure(failure, wantsJson(argv))
    if (failure.code === 'INTERNAL' && process.env.FIBRIC_DEBUG) process.stderr.write(`${stackOf(error)}\n`)
    return failure.exit
  }
}

/** Sources lie in `cli/` of the package, what is published in `dist/cli/`. */
function packageRoot(): string {
  return join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? '..' : '../..')
}

async function showHelp(root: string, id: string | null): Promise<void> {
  const config = await loadConfig(root)
  await new Help(config, config.pjson.oclif.helpOptions).showHelp(id === null ? [] : id.split(':'))
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
