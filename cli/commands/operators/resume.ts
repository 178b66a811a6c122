import { Args } from '@oclif/core'
import { resumeOperator } from '../../../controller/operations/operators.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'

export default class OperatorsResume extends EngineCommand {
  static override summary = 'Resume an operator that was paused; it takes up the events that waited.'
  static override args = { name: Args.string({ description: 'name, or <tenant>/Operator/<name>', required: true }) }
  static override flags = { tenant: scopeFlags.tenant }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(OperatorsResume)
    return this.withEngine(flags, '.', async (engine) => {
      const address = await resumeOperator(engine, args.name, flags.tenant ?? null)
      return { text: `${address} runs again`, json: { object: 'operator', address, status: 'active' } }
    })
  }
}
