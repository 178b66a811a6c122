import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Desired, readDesired } from './reconciler/desired.ts'

export type { Desired }

/**
 * Reads a configuration repository without a database: the working directory, or a revision of it. What was parsed
 * before is not parsed again; where nothing may be written, everything is.
 */
export async function readRepository(root: string, ref: string | null = null): Promise<Desired> {
  const folder = join(root, '.fibric')
  ignoreItself(folder)
  return readDesired(root, { ref, cacheDirectory: join(folder, 'cache'), appliedPaths: new Set() })
}

/** Nothing in `.fibric` is configuration, whatever the repository's own rules forget to ignore. */
function ignoreItself(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, '.gitignore'), '*\n', { flag: 'wx' })
  } catch {
    // It is there already, or this is a checkout nobody may write to: the cache then keeps nothing either.
  }
}
