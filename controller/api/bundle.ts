import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { FibricError } from '../domain/errors.ts'
import type { Slug } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import type { Bundle } from '../operations/bundle.ts'
import { importState } from '../operations/import.ts'

const filesMax = 20_000

/**
 * Writes a bundle into a folder that is gone when `work` is done. A bundle of one tenant is completed with everything
 * else as it is applied, so that references into it, sandboxes and the platform's documents are there to be checked.
 */
export async function withBundle<T>(
  engine: Engine,
  bundle: Bundle,
  own: Slug | null,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  refuseUnsoundPaths(Object.keys(bundle), own)
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'fibric-bundle-')))
  try {
    if (own !== null) await writeRest(engine, directory, own)
    for (const [path, content] of Object.entries(bundle)) {
      await writeBelow(directory, path, typeof content === 'string' ? content : bytesOf(path, content.base64))
    }
    return await work(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function writeRest(engine: Engine, directory: string, own: Slug): Promise<void> {
  // Read for the check alone, in nobody's name: nothing of it is answered.
  const everything = { ...engine, actor: { ...engine.actor, tenantId: null } }
  for (const { path, content } of await applied(everything)) {
    if (path.startsWith(`tenants/${own}/`)) continue
    await writeBelow(directory, path, 'bytes' in content ? content.bytes : JSON.stringify(content.document))
  }
}

async function applied(engine: Engine) {
  try {
    return await importState(engine, null, [])
  } catch (error) {
    if (!(error instanceof FibricError)) throw error
    // The message names objects of others.
    throw new FibricError('STATE_CONFLICT', 'what is applied beside this tenant cannot be read', { cause: error })
  }
}

function bytesOf(path: string, text: string): Buffer {
  if (/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return Buffer.from(text, 'base64')
  throw refused(`\`${path}\` is not base64`)
}

async function writeBelow(directory: string, path: string, content: string | Buffer): Promise<void> {
  const file = join(directory, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, content)
}

/** Every path stays below the folder and means the same on every system; none is both a file and a folder. */
function refuseUnsoundPaths(paths: readonly string[], own: Slug | null): void {
  if (paths.length > filesMax) throw refused(`the bundle has ${paths.length} files, over ${filesMax}`)
  const folders = new Set<string>()
  for (const path of paths) {
    const parts = path.split('/')
    const sound = parts.every(
      (part) => part !== '' && part !== '.' && part !== '..' && part !== '.git' && Buffer.byteLength(part) <= 200,
    )
    const plain = /^[^\\\p{Cc}]*$/u.test(path) && path.length <= 500
    if (!sound || !plain) throw refused(`\`${path.slice(0, 200)}\` is no path of a configuration repository`)
    if (own !== null && !path.startsWith(`tenants/${own}/`)) {
      throw refused(`\`${path}\` lies outside tenants/${own}/, which is all that this key may change`)
    }
    for (let depth = 1; depth < parts.length; depth++) folders.add(parts.slice(0, depth).join('/'))
  }
  const both = paths.find((path) => folders.has(path))
  if (both !== undefined) throw refused(`\`${both}\` is both a file and a folder`)
}

function refused(message: string): FibricError {
  return new FibricError('VALIDATION_FAILED', message, { hint: 'send files as {"tenants/acme/tenant.yaml": "…"}' })
}
