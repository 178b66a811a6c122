import { chown, mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FibricError } from '../../domain/errors.ts'

/** Makes `.fibric` (private, ignoring itself in git), or checks that it is ours to use. */
export async function ensureDataDirectory(directory: string): Promise<void> {
  try {
    const created = await mkdir(directory, { recursive: true, mode: 0o700 })
    if (created !== undefined) await giveToOwnerOf(dirname(directory), directory)
    await writeIgnoreFile(directory)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new FibricError('DATA_DIRECTORY', `the data directory \`${directory}\` cannot be written (${code})`, {
      hint: 'check who owns it, or name another with --data-dir',
      cause: error,
    })
  }
}

async function writeIgnoreFile(directory: string): Promise<void> {
  try {
    await writeFile(join(directory, '.gitignore'), '*\n', { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Root at work in a user's checkout must not leave a folder behind that the user cannot open. */
async function giveToOwnerOf(parent: string, directory: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = await stat(parent)
  if (uid !== 0) await chown(directory, uid, gid)
}
