import { Args, Flags } from '@oclif/core'
import type { DrillShown } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { jsonObjectOf } from '../../json-input.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderDrill } from '../../views/connections.ts'

export default class ConnectionsDrill extends EngineCommand {
  static override summary = "Prove a tool's effect class against the sandbox of its connection."
  static override description =
    'Sends twice under one key, drops an answer, breaks off between intent and outcome, and reads back each time. Only over a connection whose transport is a sandbox, and only what the rules allow.'
  static override examples = [
    `<%= config.bin %> connections drill shop-sandbox --tenant acme --tool order.hold --args '{"order_id": "1"}' --read order.read`,
  ]
  static override args = { name: Args.string({ description: 'name of the connection', required: true }) }
  static override flags = {
    tenant: scopeFlags.onlyTenant,
    tool: Flags.string({ description: 'capability of the tool', required: true }),
    args: Flags.string({ description: 'arguments of the tool, as JSON', default: '{}' }),
    read: Flags.string({
      description: 'capability that reads back what the tool changes; default: what it is asked with',
    }),
    'read-args': Flags.string({ description: 'arguments of that read, as JSON; default: those of the tool' }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(ConnectionsDrill)
    const body = {
      tool: flags.tool,
      args: jsonObjectOf(flags.args, '--args'),
      ...(flags.read === undefined ? {} : { read: flags.read }),
      ...(flags['read-args'] === undefined ? {} : { read_args: jsonObjectOf(flags['read-args'], '--read-args') }),
    }
    return this.withDoor(flags, '.', async (door) => {
      const asked = { params: { name: args.name }, query: { tenant: flags.tenant }, body }
      const drill = await door.ask<DrillShown>('POST', '/v1/connections/{name}/drill', asked)
      return {
        text: renderDrill(drill),
        json: drill,
        exit: drill.outcome === 'passed' ? 0 : drill.outcome === 'refused' ? 3 : 1,
      }
    })
  }
}
