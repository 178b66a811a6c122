import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Config } from '@oclif/core'
import type { FibricCommand } from './base-command.ts'

/**
 * Loads one command by its id (`plans:show`) and runs it; answers its exit code.
 *
 * oclif would load its whole configuration for that, twice: 30 of 120 ms, for hooks and plugins that we do not have. A
 * command needs of it no more than its names.
 */
export async function runCommand(root: string, id: string, argv: readonly string[]): Promise<number> {
  const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js'
  const path = join(import.meta.dirname, 'commands', `${id.replaceAll(':', '/')}.${extension}`)
  const { default: Found } = (await import(pathToFileURL(path).href)) as { default: CommandClass }
  Found.id = id
  const config = new BareConfig({ root })
  Object.assign(config, { root, bin: 'fibric', name: 'fibric', topicSeparator: ' ', pjson: { oclif: {} } })
  return new Found([...argv], config).start()
}

interface CommandClass {
  id: string
  new (argv: string[], config: Config): FibricCommand
}

class BareConfig extends Config {
  override async runHook() {
    return { failures: [], successes: [] }
  }
}
