import { Args } from '@oclif/core'
import { shownPlanJson } from '../../../controller/operations/objects.ts'
import { showPlans } from '../../../controller/operations/plans.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { paint } from '../../views/paint.ts'
import { renderPlans } from '../../views/plans.ts'
import { listJson } from '../../views/table.ts'

export default class PlansShow extends EngineCommand {
  static override summary = 'Show an execution plan with its actions, approvals and receipts.'
  static override args = {
    id: Args.string({ description: 'pl_…, act_…, co_… or the id of a configuration plan', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(PlansShow)
    return this.withEngine(flags, '.', async (engine) => {
      const plans = await showPlans(engine, args.id)
      return { text: renderPlans(plans, paint(process.stdout)), json: listJson(plans.map(shownPlanJson)) }
    })
  }
}
