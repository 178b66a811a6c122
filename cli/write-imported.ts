import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FibricError } from '../controller/domain/errors.ts'
import type { ImportedFile } from '../controller/operations/import.ts'
import { yamlText } from '../schemas/write-yaml.ts'

/** Writes imported files below a folder, all or none: what is there is not overwritten unless that was asked for. */
export async function writeImported(folder: string, files: readonly ImportedFile[], force: boolean): Promise<string[]> {
  const taken = force ? [] : files.filter((file) => existsSync(join(folder, file.path)))
  if (taken.length > 0) {
    throw new FibricError('STATE_CONFLICT', `\`${join(folder, taken[0]!.path)}\` is there already`, {
      hint: 'import into an empty folder, or add --force',
      details: { files: taken.map((file) => file.path) },
    })
  }
  for (const { path, content } of files) {
    const target = join(folder, path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, 'bytes' in content ? content.bytes : yamlText(content.document))
  }
  return files.map((file) => file.path)
}
