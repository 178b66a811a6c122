import { FibricError } from '../controller/domain/errors.ts'
import type { Engine } from '../controller/engine.ts'
import { wakeups } from '../controller/operations/follow.ts'
import { type Pass, runPass } from '../controller/operations/pass.ts'
import { renderDiagnostics } from '../schemas/load/index.ts'
import { failureOf } from './failure.ts'
import { releaseMemory, releaseMemoryAtRest } from './release-memory.ts'
import { renderApplied } from './views/apply.ts'
import { renderFailure } from './views/failure.ts'
import { type Paint, paint } from './views/paint.ts'
import { renderPlan } from './views/plan.ts'

/** A repository in a folder of this machine, and when to look at it again. */
export interface Followed {
  readonly directory: string
  /** Listens from the moment of the call. */
  wakeups(signal: AbortSignal): AsyncGenerator<unknown>
}

/** A folder that is looked at when a file in it changes. */
export function folder(directory: string): Followed {
  return { directory, wakeups: (signal) => wakeups(directory, signal) }
}

/** Applies a repository and follows it until `signal` aborts; `settled` is called once, after the first pass. */
export async function follow(
  engine: Engine,
  { directory, wakeups }: Followed,
  signal: AbortSignal,
  settled: () => Promise<void>,
): Promise<void> {
  const color = paint(process.stdout)
  const said = { last: '' }
  const ended = new AbortController()
  try {
    // Watching begins before the first look, or an edit in between would wait for the resync.
    const following = wakeups(AbortSignal.any([signal, ended.signal]))
    await pass(engine, directory, color, said, true)
    if (signal.aborted) return
    // What the first pass took, before what serving keeps comes to lie beside it.
    releaseMemory()
    await settled()
    releaseMemoryAtRest(signal)
    for await (const _wakeup of following) await pass(engine, directory, color, said, false)
  } finally {
    // A watch that is left behind keeps the process alive, and nothing of it would run.
    ended.abort()
  }
}

export function say(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
}

/** The report of a pass that found everything as it should be. */
const quiet = JSON.stringify([[], [], [], []])

/** One pass, and what there is to say of it. A failure is said and the loop goes on: the next pass may find it mended. */
async function pass(
  engine: Engine,
  repository: string,
  color: Paint,
  said: { last: string },
  first: boolean,
): Promise<void> {
  try {
    const done = await runPass(engine, repository)
    const report = sayable(done)
    if (first || done.applied || (report !== said.last && report !== quiet)) say(render(done, color))
    said.last = report
  } catch (error) {
    if (first && !(error instanceof FibricError)) throw error
    const failure = renderFailure(failureOf(error))
    if (failure !== said.last) process.stderr.write(failure)
    said.last = failure
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
