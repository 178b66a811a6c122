/** Writes `oclif.manifest.json`, from which commands are found without loading them all. Part of packing. */
import { join } from 'node:path'
import { writeManifest } from '../cli/manifest/freshness.ts'
import { loadManifest } from '../cli/manifest/load-config.ts'

const root = join(import.meta.dirname, '..')
const manifest = await loadManifest(root)
if (!writeManifest(root, manifest)) {
  process.stderr.write(`oclif.manifest.json cannot be written in ${root}\n`)
  process.exitCode = 1
}
