import { join, relative } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { engineVersion } from '../../controller/domain/engine.ts'
import { readRepository } from '../../controller/repository.ts'
import { toSarif } from '../../schemas/load/index.ts'
import { FibricCommand, type Outcome } from '../base-command.ts'
import { findRepository } from '../repository.ts'
import { paint } from '../views/paint.ts'
import { judgeRepository, renderDiagnosticList, renderJudgement, validationJson } from '../views/validate.ts'

export default class Validate extends FibricCommand {
  static override summary = 'Report every problem of a configuration repository, with file, line and column.'
  static override description = `Needs no server and no database. Problems go to stderr, the summary to stdout.
Exits 0 when everything is valid or there are only warnings, 5 when there are errors.`
  static override examples = [
    '<%= config.bin %> validate',
    '<%= config.bin %> validate --strict path/to/repository',
    '<%= config.bin %> validate --format sarif > fibric.sarif',
  ]
  static override args = { dir: Args.string({ description: 'folder in the configuration repository', default: '.' }) }
  static override flags = {
    strict: Flags.boolean({ description: 'fail on warnings too' }),
    format: Flags.option({
      description: 'how problems are written',
      options: ['human', 'json', 'sarif'] as const,
      default: 'human',
    })(),
  }

  protected async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Validate)
    const root = findRepository(args.dir)
    const { repository } = await readRepository(root)
    const judgement = judgeRepository(repository, flags.strict)
    const exit = judgement.valid ? 0 : 5
    if (flags.format === 'sarif') {
      const version = engineVersion.slice(engineVersion.indexOf('/') + 1)
      const sarif = toSarif(repository.diagnostics, version)
      return { text: JSON.stringify(sarif, null, 2), json: sarif, exit }
    }
    // Paths that a terminal can open lead from where its user is.
    const shown = repository.diagnostics.map((diagnostic) => ({
      ...diagnostic,
      path: relative(process.cwd(), join(root, diagnostic.path)),
    }))
    return {
      text: judgement.valid ? renderJudgement(judgement) : '',
      notes: renderDiagnosticList(shown, paint(process.stderr)),
      json: validationJson(judgement, repository.diagnostics),
      exit,
    }
  }
}
