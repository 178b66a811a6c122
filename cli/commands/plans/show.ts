import { Args } from '@oclif/core'
import type { List } from '../../../controller/door/door.ts'
import type { PlanShown } from '../../../controller/operations/objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { paint } from '../../views/paint.ts'
import { renderPlans } from '../../views/plans.ts'

export default class PlansShow extends EngineCommand {
  static override summary = 'Show an execution plan with its actions, approvals and receipts.'
  static override args = {
    id: Args.string({ description: 'pl_…, act_…, co_… or the id of a configuration plan', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(PlansShow)
    return this.withDoor(flags, '.', async (door) => {
      const plans = await door.ask<List<PlanShown>>('GET', '/v1/plans/named/{id}', { params: { id: args.id } })
      return { text: renderPlans(plans.data, paint(process.stdout)), json: plans }
    })
  }
}
