import { Args } from '@oclif/core'
import { settleConfig } from '../../controller/config.ts'
import { mintAdminKey } from '../../controller/deployment.ts'
import { FibricError } from '../../controller/domain/errors.ts'
import { type Engine, openEngine } from '../../controller/engine.ts'
import { wakeups } from '../../controller/operations/follow.ts'
import { type Pass, runPass } from '../../controller/operations/pass.ts'
import { renderDiagnostics } from '../../schemas/load/index.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { failureOf } from '../failure.ts'
import { findRepository } from '../repository.ts'
import { renderApplied } from '../views/apply.ts'
import { renderFailure } from '../views/failure.ts'
import { type Paint, paint } from '../views/paint.ts'
import { renderPlan } from '../views/plan.ts'

export default class Up extends EngineCommand {
  static override summary =
    'Everything in one process: the embedded PostgreSQL, and a loop that applies DIR and follows it.'
  static override description =
    'Applies without asking, prints the plan, the verdicts and what was receipted, then stays until Ctrl-C.'
  static override examples = ['<%= config.bin %> up', '<%= config.bin %> up examples/shop --data-dir /var/lib/fibric']
  static override args = { dir: Args.string({ description: 'folder in the configuration repository', default: '.' }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Up)
    const stopping = new AbortController()
    const stop = (): void => stopping.abort()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
    const repository = findRepository(args.dir)
    const overrides = { databaseUrl: flags['database-url'], dataDirectory: flags['data-dir'] }
    const config = settleConfig(repository, overrides, process.env)
    const engine = await openEngine(config, { migrate: 'apply' })
    try {
      await this.#follow(engine, repository, stopping.signal)
    } finally {
      await engine.close('stop')
    }
    return { text: 'Stopped.', json: { object: 'up', stopped: true } }
  }

  async #follow(engine: Engine, repository: string, signal: AbortSignal): Promise<void> {
    const color = paint(process.stdout)
    const adminKey = await mintAdminKey(engine.database, engine.config.login, engine.clock())
    if (adminKey) say(`${color.bold('The first admin key, shown this once:')}\n${adminKey}\n`)
    // Watching begins before the first look, or an edit in between would wait for the resync.
    const following = wakeups(repository, signal)
    await pass(engine, repository, color, true)
    if (signal.aborted) return
    say(`Up. Following ${repository}; Ctrl-C stops.\n`)
    for await (const _wakeup of following) await pass(engine, repository, color, false)
  }
}

let lastSaid = ''
/** The report of a pass that found everything as it should be. */
const quiet = JSON.stringify([[], [], [], []])

/** One pass, and what there is to say of it. A failure is said and the loop goes on: the next pass may find it mended. */
async function pass(engine: Engine, repository: string, color: Paint, first: boolean): Promise<void> {
  try {
    const done = await runPass(engine, repository)
    const report = sayable(done)
    if (first || done.applied || (report !== lastSaid && report !== quiet)) say(render(done, color))
    lastSaid = report
  } catch (error) {
    if (first && !(error instanceof FibricError)) throw error
    const failure = renderFailure(failureOf(error))
    if (failure !== lastSaid) process.stderr.write(failure)
    lastSaid = failure
  }
}

/** What a pass has to report beyond its changes; said again only when it differs. */
function sayable({ planned, brakes }: Pass): string {
  const { plan, diagnostics } = planned
  const standing = plan.changes.map((change) => [change.address, change.standing.kind])
  return JSON.stringify([standing, plan.drifted, diagnostics.map(({ path, line, code }) => [path, line, code]), brakes])
}

function render({ planned, applied, brakes }: Pass, color: Paint): string {
  const problems = planned.diagnostics.length > 0 ? `${renderDiagnostics(planned.diagnostics, { color: false })}\n` : ''
  const shown = renderPlan(planned.plan, planned.contents, brakes, color)
  return `${problems}${shown}${applied ? `\n${renderApplied(applied, color)}` : ''}`
}

function say(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
}
