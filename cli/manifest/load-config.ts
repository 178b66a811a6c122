import { Config, type Interfaces, settings } from '@oclif/core'
import { isManifestFresh, writeManifest } from './freshness.ts'

/** oclif's configuration of this program: every command by name, none of them loaded where the manifest knows them. */
export async function loadConfig(root: string): Promise<Config> {
  // Node runs the sources itself; looking for a transpiler costs 50 ms.
  settings.enableAutoTranspile = false
  if (isManifestFresh(root)) return Config.load({ root })
  const config = await Config.load({ root, ignoreManifest: true })
  const manifest = manifestOf(config)
  // A command that does not load (someone is just writing it) must be missed again next time.
  if (manifest !== null) writeManifest(root, manifest)
  return config
}

/** The manifest of a configuration whose commands have all been loaded; null when one of them could not be. */
export function manifestOf(config: Config): Interfaces.Manifest | null {
  const [plugin] = config.getPluginsList() as (Interfaces.Plugin & { readonly manifest?: Interfaces.Manifest })[]
  const manifest = plugin?.manifest
  return manifest && plugin.commandIDs.length === Object.keys(manifest.commands).length ? manifest : null
}
