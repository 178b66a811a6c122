import { Args } from '@oclif/core'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'

export default class OperatorsResume extends EngineCommand {
  static override summary = 'Resume an operator that was paused; it takes up the events that waited.'
  static override args = { name: Args.string({ description: 'name, or <tenant>/Operator/<name>', required: true }) }
  static override flags = { tenant: scopeFlags.tenant }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(OperatorsResume)
    const asked = { params: { id: args.name }, query: { tenant: flags.tenant } }
    return this.withDoor(flags, '.', async (door) => {
      const operator = await door.ask<{ address: string }>('POST', '/v1/operators/{id}/resume', asked)
      return { text: `${operator.address} runs again`, json: operator }
    })
  }
}
