import { Args, Flags } from '@oclif/core'
import type { ImportedFileShown } from '../../controller/operations/objects.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { addressOf, scopeFlags } from '../scope-flags.ts'
import { listJson } from '../views/table.ts'
import { writeImported } from '../write-imported.ts'

export default class Import extends EngineCommand {
  static override summary = 'Write the YAML of what is applied; planning it right after changes nothing.'
  static override examples = [
    '<%= config.bin %> import --out restored',
    '<%= config.bin %> import --out . --target acme/Operator/order-risk',
  ]
  static override args = { dir: Args.string({ description: 'folder whose database is read', default: '.' }) }
  static override flags = {
    tenant: scopeFlags.tenant,
    target: scopeFlags.target,
    out: Flags.string({ description: 'folder to write into; files that are there are left alone', required: true }),
    force: Flags.boolean({ description: 'replace files that are there' }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Import)
    const targets = flags.target?.map(addressOf).join(',')
    return this.withDoor(flags, args.dir, async (door) => {
      const query = { tenant: flags.tenant, targets }
      const { data } = await door.list<ImportedFileShown>('/v1/config/files', { query })
      const written = await writeImported(flags.out, data.map(fileOf), flags.force)
      const text = `${written.length} files written below ${flags.out}`
      return { text, json: listJson(written.map((path) => ({ object: 'file', path }))) }
    })
  }
}

function fileOf({ path, base64, document }: ImportedFileShown) {
  const content = document === null ? { bytes: Buffer.from(base64, 'base64') } : { document }
  return { path, content }
}
