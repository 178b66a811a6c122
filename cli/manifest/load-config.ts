import { Config, type Interfaces, settings } from '@oclif/core'
import { isManifestFresh, writeManifest } from './freshness.ts'

/** oclif's configuration of this program: every command by name, none of them loaded where the manifest knows them. */
export async function loadConfig(root: string): Promise<Config> {
  // Node runs the sources itself; looking for a transpiler costs 50 ms.
  settings.enableAutoTranspile = false
  if (isManifestFresh(root)) return Config.load({ root })
  const config = await quietly(() => Config.load({ root, ignoreManifest: true }))
  const manifest = manifestOf(config)
  // A command that does not load (someone is just writing it) must be missed again next time.
  if (manifest !== null) writeManifest(root, manifest)
  return config
}

/** The names of all commands, those that do not load included. */
export function commandIds(config: Config): readonly string[] {
  return config.getPluginsList().flatMap(({ commandIDs }) => commandIDs)
}

/** Runs a command; where it does not load, that is the error, and not that there is no such command. */
export async function runCommand(config: Config, id: string, argv: readonly string[]): Promise<unknown> {
  if (config.findCommand(id) === undefined) {
    for (const plugin of config.getPluginsList()) await plugin.findCommand(id, { must: true })
  }
  return config.runCommand(id, [...argv])
}

/** The manifest of all commands, read from the sources. Throws when one of them does not load. */
export async function loadManifest(root: string): Promise<Interfaces.Manifest> {
  settings.enableAutoTranspile = false
  const manifest = manifestOf(await quietly(() => Config.load({ root, ignoreManifest: true })))
  if (manifest === null) throw new Error('a command does not load: run it to see why')
  return manifest
}

/** The manifest of a configuration whose commands have all been loaded; null when one of them could not be. */
export function manifestOf(config: Config): Interfaces.Manifest | null {
  const [plugin] = config.getPluginsList() as (Interfaces.Plugin & { readonly manifest?: Interfaces.Manifest })[]
  const manifest = plugin?.manifest
  return manifest && plugin.commandIDs.length === Object.keys(manifest.commands).length ? manifest : null
}

/** oclif warns of every command that does not load, at length, whichever command was asked for. */
async function quietly<Value>(work: () => Promise<Value>): Promise<Value> {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return await work()
  } finally {
    process.emitWarning = emitWarning
  }
}
