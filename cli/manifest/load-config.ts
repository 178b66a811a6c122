import { Config, type Interfaces, settings } from '@oclif/core'
import { isManifestFresh, readManifest, writeManifest } from './freshness.ts'

/** What there is to run: every command by its id, none of them loaded where the manifest knows them. */
export interface Commands {
  readonly ids: readonly string[]
  /** Null where some command does not load, so that there is no manifest. */
  readonly manifest: Interfaces.Manifest | null
}

/** The commands, from the manifest where that is fresh; else from the sources, and the manifest is made again. */
export async function findCommands(root: string): Promise<Commands> {
  // Node runs the sources itself; looking for a transpiler costs 50 ms.
  settings.enableAutoTranspile = false
  const kept = isManifestFresh(root) ? readManifest(root) : null
  if (kept !== null) return { ids: Object.keys(kept.commands), manifest: kept }
  const config = await quietly(() => Config.load({ root, ignoreManifest: true }))
  const manifest = manifestOf(config)
  // A command that does not load (someone is just writing it) must be missed again next time.
  if (manifest !== null) writeManifest(root, manifest)
  return { ids: config.getPluginsList().flatMap(({ commandIDs }) => commandIDs), manifest }
}

/** oclif's whole configuration, for help and completion. To run a command it is not needed, and costs 30 ms. */
export async function loadConfig(root: string): Promise<Config> {
  const { manifest } = await findCommands(root)
  return quietly(() => Config.load({ root, ignoreManifest: manifest === null || !isManifestFresh(root) }))
}

/** The manifest of all commands, read from the sources. Throws when one of them does not load. */
export async function loadManifest(root: string): Promise<Interfaces.Manifest> {
  settings.enableAutoTranspile = false
  const manifest = manifestOf(await quietly(() => Config.load({ root, ignoreManifest: true })))
  if (manifest === null) throw new Error('a command does not load: run it to see why')
  return manifest
}

/** The manifest of a configuration whose commands have all been loaded; null when one of them could not be. */
function manifestOf(config: Config): Interfaces.Manifest | null {
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
