/** Writes what is derived from the schemas: types, validators, editor schemas, reference pages. `--check` only compares. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generatedFiles } from './generate/files.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const checkOnly = process.argv.includes('--check')
const files = await generatedFiles(root)
let stale = 0
for (const [path, text] of files) {
  const full = join(root, path)
  if (existsSync(full) && readFileSync(full, 'utf8') === text) continue
  stale += 1
  if (checkOnly) {
    process.stdout.write(`stale: ${relative(root, full)}\n`)
    continue
  }
  mkdirSync(dirname(full), { recursive: true })
  writeFileSync(full, text)
}
process.stdout.write(`${files.size} files, ${stale} ${checkOnly ? 'stale' : 'written'}\n`)
if (checkOnly && stale > 0) process.exitCode = 1
