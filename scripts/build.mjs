// Compiles what is published into `dist/`: JavaScript beside the files it reads at run time.
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const read = ['controller/store/migrations/*.sql', 'schemas/generated/*.js', 'schemas/**/*.json', 'cli/**/*.mjs']

rmSync(join(root, 'dist'), { recursive: true, force: true })
execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' })
for (const path of globSync(read, { cwd: root })) {
  const target = join(root, 'dist', path)
  mkdirSync(dirname(target), { recursive: true })
  cpSync(join(root, path), target)
}
