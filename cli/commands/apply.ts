import { readFile, stat } from 'node:fs/promises'
import { Args, Flags } from '@oclif/core'
import { FibricError } from '../../controller/domain/errors.ts'
import type { Door } from '../../controller/door/door.ts'
import type { Engine } from '../../controller/engine.ts'
import {
  type Applied,
  type ApplyOptions,
  applyPlanned,
  applySaved,
  exitCodeOf,
} from '../../controller/operations/apply.ts'
import { appliedJson } from '../../controller/operations/objects.ts'
import { loadPlan, type PlanOptions, plan } from '../../controller/operations/plan.ts'
import type { Outcome } from '../base-command.ts'
import { confirm } from '../confirm.ts'
import { EngineCommand, type EngineFlags, serverOf } from '../engine-command.ts'
import { progressBar } from '../progress.ts'
import { applyOver, planAndApplyOver, readPlanOver } from '../remote-plan.ts'
import { addressOf, type ScopeFlags, scopeFlags, scopeOf } from '../scope-flags.ts'
import { renderApplied } from '../views/apply.ts'
import { paint } from '../views/paint.ts'
import { renderPlan } from '../views/plan.ts'

export default class Apply extends EngineCommand {
  static override summary = 'Carry out what the repository or a saved plan wants: every change is gated and receipted.'
  static override description = [
    'Asks first unless --auto-approve is given, which skips the question and never a hold.',
    'Exit codes: 3 some changes were refused by the trust gate, 4 some wait for approval, 5 invalid configuration,',
    '6 the plan is stale, altered or expired, 8 a brake tripped.',
  ].join('\n')
  static override examples = [
    '<%= config.bin %> apply --auto-approve',
    '<%= config.bin %> apply change.plan',
    '<%= config.bin %> apply --confirm-deletes 12',
  ]
  static override args = {
    source: Args.string({ description: 'folder in the configuration repository, or a plan file', default: '.' }),
  }
  static override flags = {
    ...scopeFlags,
    'auto-approve': Flags.boolean({ description: 'do not ask; a hold still holds' }),
    'confirm-deletes': Flags.integer({ description: 'confirm a brake with the exact number of deletions', min: 0 }),
    ref: Flags.string({ description: 'apply this git revision instead of the working directory' }),
    retry: Flags.string({
      description: 'ask again for a change that was refused',
      multiple: true,
      multipleNonGreedy: true,
    }),
    destroy: Flags.boolean({ description: 'delete everything in scope' }),
    resume: Flags.boolean({ description: 'go on where a killed apply stopped (what apply does anyway)' }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Apply)
    requireConsent(flags)
    const isFile = await isPlanFile(args.source)
    if (serverOf(flags) !== null) return this.#applyOver(flags, args.source, isFile)
    // A plan file reads no directory: it may lie anywhere, and the database is that of the folder one stands in.
    return this.withEngine(flags, isFile ? '.' : args.source, async (engine, repository) => {
      const options: ApplyOptions = {
        confirmDeletes: flags['confirm-deletes'] ?? null,
        progress: progressBar('applying', process.stderr),
      }
      const ask = (text: string): Promise<boolean> => (flags['auto-approve'] ? Promise.resolve(true) : confirm(text))
      const applied = isFile
        ? await applyFile(engine, args.source, options, ask)
        : await applyDirectory(
            engine,
            {
              directory: repository,
              ref: flags.ref ?? null,
              scope: scopeOf(flags),
              destroy: flags.destroy,
              retry: (flags.retry ?? []).map(addressOf),
            },
            options,
            ask,
          )
      if (!applied) return nothingApplied
      return {
        text: renderApplied(applied, paint(process.stdout)),
        json: appliedJson(applied),
        exit: exitCodeOf(applied.outcomes),
      }
    })
  }

  #applyOver(flags: ApplyFlags, source: string, isFile: boolean): Promise<Outcome> {
    const ask = (text: string): Promise<boolean> => (flags['auto-approve'] ? Promise.resolve(true) : confirm(text))
    return this.withDoor(flags, '.', async (door) => {
      const answer = isFile
        ? await applyFileOver(door, source, flags, ask)
        : await planAndApplyOver(
            door,
            {
              directory: this.repository(source, flags),
              ref: flags.ref ?? null,
              scope: scopeOf(flags),
              destroy: flags.destroy,
              retry: (flags.retry ?? []).map(addressOf),
            },
            flags['confirm-deletes'] ?? null,
            ({ plan, contents, brakes }) => ask(renderPlan(plan, contents, brakes, paint(process.stderr))),
          )
      if (!answer) return nothingApplied
      const { applied, json } = answer
      return { text: renderApplied(applied, paint(process.stdout)), json, exit: exitCodeOf(applied.outcomes) }
    })
  }
}

const nothingApplied: Outcome = { text: 'Nothing was applied.', json: { object: 'apply', outcomes: [] }, exit: 1 }

type Answer = { readonly applied: Applied; readonly json: object } | null

interface ApplyFlags extends ScopeFlags, EngineFlags {
  readonly 'auto-approve': boolean
  readonly 'confirm-deletes'?: number | undefined
  readonly ref?: string | undefined
  readonly retry?: readonly string[] | undefined
  readonly destroy: boolean
}

async function applyFileOver(door: Door, path: string, flags: ApplyFlags, ask: Ask): Promise<Answer> {
  const bytes = await readFile(path)
  const { plan } = await readPlanOver(door, bytes)
  if (!(await ask(renderPlan(plan, null, [], paint(process.stderr))))) return null
  return applyOver(door, bytes.toString('base64'), plan, flags['confirm-deletes'] ?? null)
}

type Ask = (text: string) => Promise<boolean>

async function applyDirectory(
  engine: Engine,
  from: PlanOptions,
  options: ApplyOptions,
  ask: Ask,
): Promise<Applied | null> {
  const planned = await plan(engine, from)
  if (planned.plan.changes.length > 0) {
    const shown = renderPlan(planned.plan, planned.contents, planned.brakes, paint(process.stderr))
    if (!(await ask(shown))) return null
  }
  try {
    return await applyPlanned(engine, planned, options)
  } catch (error) {
    if (!(error instanceof FibricError) || !['PLAN_STALE', 'GENESIS_CLOSED'].includes(error.code)) throw error
    // Somebody applied meanwhile: plan again, once, on what is there now.
    process.stderr.write(`${error.message}; planning again\n`)
    const again = await plan(engine, from)
    if (again.plan.id !== planned.plan.id) {
      const shown = renderPlan(again.plan, again.contents, again.brakes, paint(process.stderr))
      if (!(await ask(shown))) return null
    }
    return applyPlanned(engine, again, options)
  }
}

async function applyFile(engine: Engine, path: string, options: ApplyOptions, ask: Ask): Promise<Applied | null> {
  const saved = loadPlan(engine, await readFile(path), path)
  if (!(await ask(renderPlan(saved.plan, null, [], paint(process.stderr))))) return null
  return applySaved(engine, saved, options)
}

async function isPlanFile(source: string): Promise<boolean> {
  try {
    return (await stat(source)).isFile()
  } catch (cause) {
    throw new FibricError('NOT_FOUND', `there is no folder or plan file \`${source}\``, { cause })
  }
}

function requireConsent(flags: { readonly 'auto-approve': boolean; readonly json?: boolean }): void {
  if (flags['auto-approve'] || (process.stdin.isTTY && process.stderr.isTTY)) return
  throw new FibricError('USAGE', 'apply asks before it changes anything, and there is no terminal to ask on', {
    hint: 'add --auto-approve',
  })
}
