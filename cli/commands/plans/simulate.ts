import { Args } from '@oclif/core'
import type { SimulationShown } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { renderSimulation } from '../../views/simulation.ts'

export default class PlansSimulate extends EngineCommand {
  static override summary = 'Go through a recorded plan again as things stand, with nothing read, written or sent.'
  static override description =
    'Its actions are bound and judged by what is applied now; each is shown with its request as it would be built and its receipt as ' +
    'it would stand, which no ledger holds. What the plan itself did does not stand in the way of doing it again.'
  static override examples = ['<%= config.bin %> plans simulate pl_0190…']
  static override args = {
    id: Args.string({ description: 'a plan of effects, or one of its actions', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(PlansSimulate)
    return this.withDoor(flags, '.', async (door) => {
      const asked = { params: { id: args.id } }
      const simulated = await door.ask<SimulationShown>('POST', '/v1/plans/{id}/simulate', asked)
      return { text: renderSimulation(simulated), json: simulated }
    })
  }
}
