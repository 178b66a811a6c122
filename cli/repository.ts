import { existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { FibricError } from '../controller/domain/errors.ts'

const marks = ['fibric.yaml', 'fibric.yml', 'fibric.json', 'tenants']

/** The nearest folder at or above `from` that holds `fibric.yaml` or `tenants/`. */
export function findRepository(from: string): string {
  const start = resolve(from)
  if (!existsSync(start) || !statSync(start).isDirectory()) {
    throw new FibricError('NO_REPOSITORY', `\`${from}\` is no directory`, {
      hint: 'name the folder that holds tenants/',
    })
  }
  for (let folder = start; ; folder = dirname(folder)) {
    if (marks.some((mark) => existsSync(join(folder, mark)))) return folder
    if (dirname(folder) === folder) break
  }
  throw new FibricError('NO_REPOSITORY', `\`${from}\` is in no configuration repository`, {
    hint: 'make one with: fibric init',
  })
}
