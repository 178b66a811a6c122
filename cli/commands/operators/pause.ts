import { Args, Flags } from '@oclif/core'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'

export default class OperatorsPause extends EngineCommand {
  static override summary = 'Pause an operator, whatever its document says; its events wait.'
  static override examples = ['<%= config.bin %> operators pause order-risk --tenant acme --reason "incident 42"']
  static override args = { name: Args.string({ description: 'name, or <tenant>/Operator/<name>', required: true }) }
  static override flags = {
    tenant: scopeFlags.tenant,
    reason: Flags.string({ description: 'why, for the ledger', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(OperatorsPause)
    const asked = { params: { id: args.name }, query: { tenant: flags.tenant }, body: { reason: flags.reason } }
    return this.withDoor(flags, '.', async (door) => {
      const operator = await door.ask<{ address: string }>('POST', '/v1/operators/{id}/pause', asked)
      return { text: `${operator.address} is paused`, json: operator }
    })
  }
}
