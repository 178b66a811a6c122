/**
 * A process that applies, to be killed while it does: `node child.ts ORDERS`. It prints its report as one line of JSON
 * when nobody kills it.
 */
import { writeSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { FibricError } from '../../controller/domain/errors.ts'
import type { Address, Slug } from '../../controller/domain/ids.ts'
import { type Engine, openEngine } from '../../controller/engine.ts'
import { type Applied, applyPlanned, applySaved } from '../../controller/operations/apply.ts'
import { planHeal } from '../../controller/operations/drift.ts'
import { runPass } from '../../controller/operations/pass.ts'
import { loadPlan, plan, savePlan } from '../../controller/operations/plan.ts'
import { answerPlans, listWaiting } from '../../controller/operations/plans.ts'
import { createKey } from '../../controller/tenancy/keys.ts'
import { withFailpoints } from './failpoints.ts'
import type { Orders, Report, Step } from './steps.ts'

const { config, steps, stop } = JSON.parse(process.argv[2]!) as Orders
const points: string[] = []
const secrets: { [user: string]: string } = {}
let outcomes: Report['outcomes'] = {}
let lastDirectory: string | null = null

async function reach(point: string): Promise<void> {
  points.push(point)
  if (point !== stop?.at) return
  if (stop.how === 'die') process.kill(process.pid, 'SIGKILL')
  writeSync(1, 'stopped\n')
  await new Promise((resolve) => process.stdin.once('data', resolve))
  process.stdin.pause()
}

report(await carryOut())

async function carryOut(): Promise<Report['error'] | number> {
  try {
    const engine = await openEngine(config, { around: (database) => withFailpoints(database, reach) })
    try {
      for (const step of steps) await take(engine, step)
      return await proposalsLeft(engine)
    } finally {
      await engine.close('leave')
    }
  } catch (error) {
    if (error instanceof FibricError) return { code: error.code, message: error.message }
    throw error
  }
}

async function take(engine: Engine, step: Step): Promise<void> {
  const options = { confirmDeletes: null }
  switch (step.do) {
    case 'apply':
      lastDirectory = step.directory
      count(await applyPlanned(engine, await plan(engine, { directory: step.directory, ref: null }), options))
      return
    case 'pass':
      lastDirectory = step.directory
      await runPass(engine, step.directory)
      return
    case 'save':
      await writeFile(step.file, await savePlan(engine, await plan(engine, { directory: step.directory, ref: null })))
      return
    case 'apply file':
      count(await applySaved(engine, loadPlan(engine, await readFile(step.file), step.file), options))
      return
    case 'answer': {
      const waiting = await listWaiting(engine, null)
      const action = waiting.find(({ entity_key, state }) => entity_key === step.entity && state === 'held')
      if (action) await answerPlans(engine, action.action_id, step.decision, null)
      return
    }
    case 'heal':
      count(await applyPlanned(engine, await planHeal(engine, step.directory, {} as never), options))
      return
    case 'keys':
      for (const user of step.users) {
        const address = `_platform/User/${user}` as Address
        const wanted = { slug: '_platform' as Slug, role: 'operate', name: user, user: address, expiresAt: null }
        secrets[user] = (await createKey(engine.database, engine.actor, wanted, engine.clock())).secret
      }
  }
}

function count(applied: Applied): void {
  const counted: { [outcome: string]: number } = {}
  for (const { outcome } of applied.outcomes) counted[outcome] = (counted[outcome] ?? 0) + 1
  outcomes = counted
}

async function proposalsLeft(engine: Engine): Promise<number> {
  if (lastDirectory === null) return 0
  const again = await plan(engine, { directory: lastDirectory, ref: null })
  return again.plan.changes.filter(({ standing }) => standing.kind === 'proposed').length
}

function report(ended: Report['error'] | number): void {
  const [proposed, error] = typeof ended === 'number' ? [ended, null] : [0, ended]
  const said: Report = { points, outcomes, proposed, secrets, error }
  process.stdout.write(`${JSON.stringify(said)}\n`)
}
