import { Args, Flags } from '@oclif/core'
import type { RunShown, SimulationShown } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { jsonObjectOf } from '../../json-input.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderAskedRun, renderSimulation } from '../../views/operators.ts'

export default class OperatorsRun extends EngineCommand {
  static override summary = 'Run an operator once, over a payload, through the same gate as ever.'
  static override description =
    'With --simulate reads are real, and nothing is written or sent: it says what would be proposed and what the gate would say.'
  static override examples = [
    `<%= config.bin %> operators run order-risk --tenant acme --payload '{"order_id": "1001"}' --simulate`,
  ]
  static override args = { name: Args.string({ description: 'name, or <tenant>/Operator/<name>', required: true }) }
  static override flags = {
    tenant: scopeFlags.tenant,
    payload: Flags.string({ description: 'payload of the event it sees, as JSON', default: '{}' }),
    simulate: Flags.boolean({ description: 'propose and judge, and do nothing' }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(OperatorsRun)
    const payload = jsonObjectOf(flags.payload, '--payload')
    const asked = { params: { id: args.name }, query: { tenant: flags.tenant }, body: { payload } }
    return this.withDoor(flags, '.', async (door) => {
      if (flags.simulate) {
        const simulated = await door.ask<SimulationShown>('POST', '/v1/operators/{id}/simulate', asked)
        return { text: renderSimulation(simulated), json: simulated }
      }
      const run = await door.ask<RunShown>('POST', '/v1/operators/{id}/run', asked)
      const any = (...states: string[]): boolean => run.actions.some(({ state }) => states.includes(state))
      const refused = run.outcome === 'rejected' || any('blocked', 'rejected')
      return {
        text: renderAskedRun(run),
        json: run,
        exit: refused ? 3 : any('held') ? 4 : any('failed') ? 1 : 0,
      }
    })
  }
}
