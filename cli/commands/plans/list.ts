import { Flags } from '@oclif/core'
import type { ExecutionPlanShown, PlannedActionShown } from '../../../controller/operations/objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderWaiting } from '../../views/plans.ts'
import { renderTable } from '../../views/table.ts'

export default class PlansList extends EngineCommand {
  static override summary = 'List what waits for a person, or with --all every execution plan.'
  static override flags = {
    tenant: scopeFlags.tenant,
    all: Flags.boolean({ description: 'execution plans that ended too, newest first' }),
    limit: Flags.integer({ description: 'this many only', min: 1, dependsOn: ['all'] }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(PlansList)
    const query = { tenant: flags.tenant }
    return this.withDoor(flags, '.', async (door) => {
      if (!flags.all) {
        const waiting = await door.list<PlannedActionShown>('/v1/plans/waiting', { query })
        return { text: renderWaiting(waiting.data), json: waiting }
      }
      const plans = await door.list<ExecutionPlanShown>('/v1/plans', { query }, flags.limit)
      const rows = plans.data.map((plan) => [
        plan.plan_id,
        plan.tenant,
        plan.created_at,
        plan.proposer.name,
        plan.correlation_id,
      ])
      const text = renderTable(['PLAN', 'TENANT', 'PROPOSED', 'BY', 'CORRELATION'], rows)
      return { text, json: plans }
    })
  }
}
