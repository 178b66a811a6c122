import { statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { FibricCommand, type Outcome } from '../base-command.ts'
import { formatRepository } from '../format/format-repository.ts'
import { findRepository } from '../repository.ts'
import { formatJson, renderFormat } from '../views/fmt.ts'
import { paint } from '../views/paint.ts'
import { renderDiagnosticList } from '../views/validate.ts'

export default class Fmt extends FibricCommand {
  static override summary = 'Bring documents into their canonical form, comments kept.'
  static override description =
    `Rewrites the documents in DIR (or one file): order of the envelope's keys, two spaces, quotes only where they
are needed, wide lists and maps a line an item, LF. What a document says, and so its digest, never changes.
Exits 0; 1 with --check when a file is not in its canonical form; 5 when a file cannot be parsed, which is then left as it is.`
  static override examples = [
    '<%= config.bin %> fmt',
    '<%= config.bin %> fmt --check',
    '<%= config.bin %> fmt tenants/acme/operators',
  ]
  static override args = {
    dir: Args.string({ description: 'folder or file in the configuration repository', default: '.' }),
  }
  static override flags = {
    check: Flags.boolean({ description: 'write nothing, and fail when something would change' }),
  }

  protected async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Fmt)
    const within = resolve(args.dir)
    const isFile = statSync(within, { throwIfNoEntry: false })?.isFile() === true
    const root = findRepository(isFile ? dirname(within) : args.dir)
    const report = await formatRepository(root, within, !flags.check)
    const shown = (path: string) => relative(process.cwd(), join(root, path))
    const refused = report.refused.map((diagnostic) => ({ ...diagnostic, path: shown(diagnostic.path) }))
    return {
      text: renderFormat({ ...report, changed: report.changed.map(shown) }, flags.check),
      notes: renderDiagnosticList(refused, paint(process.stderr)),
      json: formatJson(report, flags.check),
      exit: report.refused.length > 0 ? 5 : flags.check && report.changed.length > 0 ? 1 : 0,
    }
  }
}
