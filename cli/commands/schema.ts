import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { FibricError } from '../../controller/domain/errors.ts'
import { closest, documentSchema, exportSchemas, findKind, kinds } from '../../schemas/index.ts'
import { FibricCommand, type Outcome } from '../base-command.ts'

export default class Schema extends FibricCommand {
  static override summary = 'Write the JSON Schemas of all kinds for editors, or print one.'
  static override description =
    `Editors that know the YAML language server complete and check documents that begin with a line such as
# yaml-language-server: $schema=../.fibric/schemas/fibric.json`
  static override examples = [
    '<%= config.bin %> schema --out .fibric/schemas',
    '<%= config.bin %> schema Operator > operator.json',
  ]
  static override args = { kind: Args.string({ description: 'print the schema of documents of this kind' }) }
  static override flags = { out: Flags.string({ description: 'folder to write one schema a kind to' }) }

  protected async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Schema)
    if ((args.kind === undefined) === (flags.out === undefined)) {
      throw new FibricError('USAGE', 'one of `KIND` and `--out` is needed, and not both', {
        hint: 'fibric schema --out .fibric/schemas, or fibric schema Operator',
      })
    }
    return flags.out === undefined ? printed(args.kind!) : written(flags.out)
  }
}

function printed(name: string): Outcome {
  const info = findKind(name)
  if (info !== null) {
    const schema = documentSchema(info.kind)
    return { text: JSON.stringify(schema, null, 2), json: schema }
  }
  const near = closest(
    name,
    kinds.map(({ kind }) => kind),
  )
  throw new FibricError('NOT_FOUND', `there is no kind \`${name}\``, {
    hint: near === null ? 'fibric explain lists them' : `did you mean \`${near}\`?`,
  })
}

async function written(folder: string): Promise<Outcome> {
  const files = exportSchemas()
  try {
    await mkdir(folder, { recursive: true })
    for (const [name, schema] of files) await writeFile(join(folder, name), `${JSON.stringify(schema, null, 2)}\n`)
  } catch (cause) {
    throw new FibricError(
      'FILE_NOT_WRITTEN',
      `\`${folder}\` cannot be written to (${(cause as NodeJS.ErrnoException).code})`,
      {
        hint: 'name another folder with --out',
        cause,
      },
    )
  }
  const names = [...files.keys()]
  return {
    text: `${names.length} schemas written to ${folder}; fibric.json is for documents of every kind`,
    json: { object: 'schemas', folder, files: names },
  }
}
