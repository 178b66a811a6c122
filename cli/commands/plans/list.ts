import { Flags } from '@oclif/core'
import { actionJson, executionPlanJson } from '../../../controller/operations/objects.ts'
import { listPlans, listWaiting } from '../../../controller/operations/plans.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderWaiting } from '../../views/plans.ts'
import { listJson, renderTable } from '../../views/table.ts'

export default class PlansList extends EngineCommand {
  static override summary = 'List what waits for a person, or with --all every execution plan.'
  static override flags = {
    tenant: scopeFlags.tenant,
    all: Flags.boolean({ description: 'execution plans that ended too, newest first' }),
    limit: Flags.integer({ description: 'this many only', min: 1, dependsOn: ['all'] }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(PlansList)
    return this.withEngine(flags, '.', async (engine) => {
      if (!flags.all) {
        const waiting = await listWaiting(engine, flags.tenant ?? null)
        return { text: renderWaiting(waiting), json: listJson(waiting.map(actionJson)) }
      }
      const plans = await listPlans(engine, flags.tenant ?? null, flags.limit ?? null)
      const rows = plans.map((plan) => [
        plan.plan_id,
        plan.tenant,
        plan.created_at,
        plan.proposer.name,
        plan.correlation_id,
      ])
      const text = renderTable(['PLAN', 'TENANT', 'PROPOSED', 'BY', 'CORRELATION'], rows)
      return { text, json: listJson(plans.map(executionPlanJson)) }
    })
  }
}
