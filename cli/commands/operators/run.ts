import { Args, Flags } from '@oclif/core'
import type { RunShown, SimulationShown } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { endedExit } from '../../ended-exit.ts'
import { EngineCommand } from '../../engine-command.ts'
import { jsonObjectOf } from '../../json-input.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderAskedRun } from '../../views/operators.ts'
import { renderSimulation } from '../../views/simulation.ts'

export default class OperatorsRun extends EngineCommand {
  static override summary = 'Run an operator once, over a payload, through the same gate as ever.'
  static override description =
    'With --simulate its writes are stubbed: it shows what the gate would say, the request of each action as it would be built, and ' +
    'the receipts as they would stand, which no ledger holds. Reads are real, and so is the question to a model, over a payload or ' +
    'an event of the log (--event); over a recorded run (--run) both are what that run saw and was answered, and nothing leaves.'
  static override examples = [
    `<%= config.bin %> operators run order-risk --tenant acme --payload '{"order_id": "1001"}' --simulate`,
    '<%= config.bin %> operators run order-risk --tenant acme --simulate --run run_0190…',
  ]
  static override args = { name: Args.string({ description: 'name, or <tenant>/Operator/<name>', required: true }) }
  static override flags = {
    tenant: scopeFlags.tenant,
    payload: Flags.string({ description: 'payload of the event it sees, as JSON (default: {})' }),
    simulate: Flags.boolean({ description: 'go the whole way, and write and send nothing' }),
    event: Flags.string({
      description: 'simulate over this event of the log',
      dependsOn: ['simulate'],
      exclusive: ['payload', 'run'],
    }),
    run: Flags.string({
      description: 'simulate over this run as it was recorded',
      dependsOn: ['simulate'],
      exclusive: ['payload'],
    }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(OperatorsRun)
    const { event, run: recorded } = flags
    const payload = jsonObjectOf(flags.payload ?? '{}', '--payload')
    const body = event !== undefined ? { event } : recorded !== undefined ? { run: recorded } : { payload }
    const asked = { params: { id: args.name }, query: { tenant: flags.tenant }, body }
    return this.withDoor(flags, '.', async (door) => {
      if (flags.simulate) {
        const simulated = await door.ask<SimulationShown>('POST', '/v1/operators/{id}/simulate', asked)
        return { text: renderSimulation(simulated), json: simulated }
      }
      const run = await door.ask<RunShown>('POST', '/v1/operators/{id}/run', asked)
      const exit = run.outcome === 'rejected' ? 3 : endedExit(run.actions.map(({ state }) => state))
      return { text: renderAskedRun(run), json: run, exit }
    })
  }
}
