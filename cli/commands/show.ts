import { readFile } from 'node:fs/promises'
import { Args } from '@oclif/core'
import { FibricError } from '../../controller/domain/errors.ts'
import { planJson } from '../../controller/operations/objects.ts'
import { loadPlan } from '../../controller/operations/plan.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand, serverOf } from '../engine-command.ts'
import { readPlanOver } from '../remote-plan.ts'
import { paint } from '../views/paint.ts'
import { renderPlan } from '../views/plan.ts'

export default class Show extends EngineCommand {
  static override summary = 'Show a saved plan, after checking its signature.'
  static override examples = ['<%= config.bin %> show change.plan']
  static override args = { file: Args.string({ description: 'a file that plan --out wrote', required: true }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Show)
    const bytes = await readFile(args.file).catch((cause: unknown) => {
      throw new FibricError('NOT_FOUND', `there is no plan file \`${args.file}\``, { cause })
    })
    if (serverOf(flags) !== null) {
      return this.withDoor(flags, '.', async (door) => {
        const { plan, json } = await readPlanOver(door, bytes)
        return { text: renderPlan(plan, null, [], paint(process.stdout)), json }
      })
    }
    return this.withEngine(flags, '.', async (engine) => {
      const { plan } = loadPlan(engine, bytes, args.file)
      return { text: renderPlan(plan, null, [], paint(process.stdout)), json: planJson(plan, []) }
    })
  }
}
