import { writeFile } from 'node:fs/promises'
import { Args, Flags } from '@oclif/core'
import { FibricError } from '../../controller/domain/errors.ts'
import { planJson } from '../../controller/operations/objects.ts'
import { type Planned, plan, savePlan } from '../../controller/operations/plan.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand, type EngineFlags, serverOf } from '../engine-command.ts'
import { planOver } from '../remote-plan.ts'
import { type ScopeFlags, scopeFlags, scopeOf } from '../scope-flags.ts'
import { paint } from '../views/paint.ts'
import { renderPlan } from '../views/plan.ts'
import { renderPlanMarkdown } from '../views/plan-markdown.ts'

export default class Plan extends EngineCommand {
  static override summary = 'Show what applying would change, and what the trust gate says of each change.'
  static override description =
    'Only reports: it exits 0 whatever the gate or a brake would say (2 with --detailed-exitcode when there are changes).'
  static override examples = ['<%= config.bin %> plan', '<%= config.bin %> plan --out change.plan --tenant acme']
  static override args = { dir: Args.string({ description: 'folder in the configuration repository', default: '.' }) }
  static override flags = {
    ...scopeFlags,
    out: Flags.string({ description: 'save the signed plan to this file, for apply' }),
    ref: Flags.string({ description: 'read this git revision instead of the working directory' }),
    destroy: Flags.boolean({ description: 'plan the deletion of everything in scope' }),
    'refresh-only': Flags.boolean({ description: 'look at drift only' }),
    format: Flags.string({
      description: 'markdown is a comment for a pull request',
      options: ['human', 'json', 'markdown'],
      default: 'human',
    }),
    'detailed-exitcode': Flags.boolean({ description: 'exit 2 when there are changes' }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Plan)
    if (serverOf(flags) !== null) return this.#planOver(flags, args.dir)
    return this.withEngine(flags, args.dir, async (engine, repository) => {
      const planned = await plan(engine, {
        directory: repository,
        ref: flags.ref ?? null,
        scope: scopeOf(flags),
        destroy: flags.destroy,
        refreshOnly: flags['refresh-only'],
      })
      if (flags.out !== undefined) await writePlanFile(flags.out, await savePlan(engine, planned))
      return outcomeOf(flags, planned, planJson(planned.plan, planned.brakes))
    })
  }

  #planOver(flags: PlanFlags, directory: string): Promise<Outcome> {
    return this.withDoor(flags, directory, async (door) => {
      const planned = await planOver(door, {
        directory: this.repository(directory, flags),
        ref: flags.ref ?? null,
        scope: scopeOf(flags),
        destroy: flags.destroy,
        refreshOnly: flags['refresh-only'],
      })
      if (flags.out !== undefined) await writePlanFile(flags.out, Buffer.from(planned.file, 'base64'))
      return outcomeOf(flags, planned, planned.json)
    })
  }
}

type Shown = Pick<Planned, 'plan' | 'contents' | 'brakes'>

interface PlanFlags extends ScopeFlags, EngineFlags {
  readonly out?: string | undefined
  readonly ref?: string | undefined
  readonly destroy: boolean
  readonly 'refresh-only': boolean
  readonly format: string
  readonly 'detailed-exitcode': boolean
}

function outcomeOf(flags: PlanFlags, planned: Shown, json: object): Outcome {
  const changes = planned.plan.changes.length
  const exit = flags['detailed-exitcode'] && changes > 0 ? 2 : 0
  return { text: render(flags.format, planned, json), json, exit }
}

async function writePlanFile(path: string, bytes: Buffer): Promise<void> {
  try {
    await writeFile(path, bytes)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    throw new FibricError('USAGE', `\`${path}\` cannot be written (${code ?? 'no reason given'})`, {
      hint: 'name a file in a folder that is there and that you may write to',
      cause,
    })
  }
}

function render(format: string, { plan, contents, brakes }: Shown, json: unknown): string {
  switch (format) {
    case 'json':
      return JSON.stringify(json, null, 2)
    case 'markdown':
      return renderPlanMarkdown(plan, contents, brakes)
    default:
      return renderPlan(plan, contents, brakes, paint(process.stdout))
  }
}
