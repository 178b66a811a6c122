import { settleConfig } from '../../controller/config.ts'
import { type Check, examine } from '../../controller/operations/doctor.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { findRepository } from '../repository.ts'
import { type Paint, paint } from '../views/paint.ts'
import { listJson } from '../views/table.ts'

export default class Doctor extends EngineCommand {
  static override summary = 'Try what a deployment on this machine needs, and say what to do about what is missing.'
  static override description = 'Exits 1 when a check failed; warnings alone are 0.'

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(Doctor)
    this.requireHere(flags)
    const home = this.repository('.', flags)
    const overrides = { databaseUrl: flags['database-url'], dataDirectory: flags['data-dir'] }
    const checks = await examine(settleConfig(home, overrides, process.env), repositoryOrNull())
    const failed = checks.some((check) => check.status === 'failed')
    return { text: render(checks, paint(process.stdout)), json: listJson(checks), exit: failed ? 1 : 0 }
  }
}

function repositoryOrNull(): string | null {
  try {
    return findRepository('.')
  } catch {
    // Without a repository there is nothing to check about one.
    return null
  }
}

function render(checks: readonly Check[], color: Paint): string {
  const signs = { ok: color.green('ok'), warning: color.yellow('warning'), failed: color.red('failed') }
  return checks
    .map(
      ({ name, status, message, hint }) =>
        `${signs[status]} ${name}: ${message}${hint ? `\n    ${color.dim('hint:')} ${hint}` : ''}`,
    )
    .join('\n')
}
