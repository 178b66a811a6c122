import { Args, Flags } from '@oclif/core'
import { readRepository } from '../../controller/repository.ts'
import { FibricCommand, type Outcome } from '../base-command.ts'
import { compareRevisions } from '../compare-revisions.ts'
import { findRepository } from '../repository.ts'
import { comparisonJson, renderComparison } from '../views/diff.ts'
import { paint } from '../views/paint.ts'
import { incompleteNote } from '../views/validate.ts'

export default class Diff extends FibricCommand {
  static override summary = 'Show what the configuration of two commits differs in.'
  static override description =
    `Compares resources and not lines: a moved file, a comment or another order is no difference.
Exits 0, or 2 with --detailed-exitcode when there is one.`
  static override examples = [
    '<%= config.bin %> diff main HEAD',
    '<%= config.bin %> diff v1.4.0 v1.5.0 path/to/repository --json',
  ]
  static override args = {
    rev1: Args.string({ description: 'the older revision: a branch, a tag or a commit', required: true }),
    rev2: Args.string({ description: 'the newer revision', required: true }),
    dir: Args.string({ description: 'folder in the configuration repository', default: '.' }),
  }
  static override flags = {
    'detailed-exitcode': Flags.boolean({ description: 'exit 2 when there are differences' }),
  }

  protected async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Diff)
    const root = findRepository(args.dir)
    const before = await readRepository(root, args.rev1)
    const after = await readRepository(root, args.rev2)
    const differences = await compareRevisions(before.repository, after.repository)
    const notes = [incompleteNote(before.repository, args.rev1), incompleteNote(after.repository, args.rev2)]
    return {
      text: renderComparison(differences, paint(process.stdout)),
      json: comparisonJson(args.rev1, args.rev2, differences),
      notes: notes.filter((note) => note !== null).join('\n'),
      exit: flags['detailed-exitcode'] && differences.length > 0 ? 2 : 0,
    }
  }
}
