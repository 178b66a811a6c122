import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { FibricError } from '../../controller/domain/errors.ts'
import { exportSchemas } from '../../schemas/index.ts'
import { documents } from './documents.ts'
import { readme } from './readme.ts'

export interface Scaffold {
  readonly directory: string
  /** Paths below it, in the order of reading. */
  readonly written: readonly string[]
  /** What was there already, and is as it was. */
  readonly kept: readonly string[]
}

/** Makes a configuration repository of a folder. Nothing that is there is overwritten. */
export async function scaffold(folder: string): Promise<Scaffold> {
  const directory = resolve(folder)
  for (const mark of ['fibric.yaml', 'fibric.yml', 'fibric.json', 'tenants']) {
    if (!existsSync(join(directory, mark))) continue
    throw new FibricError('STATE_CONFLICT', `\`${folder}\` has \`${mark}\` already, and nothing was written`, {
      hint: 'name an empty folder: fibric init DIR, or look at what is there: fibric validate',
    })
  }
  const deployment = deploymentName(basename(directory))
  const visible = new Map([...documents(deployment), ['README.md', readme(deployment)], ['.gitignore', '.fibric/\n']])
  const written: string[] = []
  const kept: string[] = []
  for (const [path, text] of visible) {
    if (await writeNew(directory, path, text)) written.push(path)
    else kept.push(path)
  }
  await writeNew(directory, '.fibric/.gitignore', '*\n')
  for (const [name, schema] of exportSchemas()) {
    await writeNew(directory, `.fibric/schemas/${name}`, `${JSON.stringify(schema, null, 2)}\n`)
  }
  return { directory, written, kept }
}

/** The folder's name as a name of a resource. */
function deploymentName(folder: string): string {
  const name = folder
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '')
  return name === '' ? 'main' : name
}

/** False where a file is: it is left alone. */
async function writeNew(directory: string, path: string, text: string): Promise<boolean> {
  const full = join(directory, path)
  try {
    await mkdir(dirname(full), { recursive: true })
    await writeFile(full, text, { flag: 'wx' })
    return true
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST' && existsSync(full)) return false
    throw new FibricError('FILE_NOT_WRITTEN', `\`${full}\` cannot be written (${code})`, {
      hint: 'name a folder you may write to: fibric init DIR',
      cause,
    })
  }
}
