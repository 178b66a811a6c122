import { Args } from '@oclif/core'
import type { ActionShown } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { endedExit } from '../../ended-exit.ts'
import { EngineCommand } from '../../engine-command.ts'
import { renderActions } from '../../views/actions.ts'

export default class ActionsUndo extends EngineCommand {
  static override summary = 'Propose the declared inverse of an applied action, through the same gate.'
  static override examples = ['<%= config.bin %> actions undo act_0190…']
  static override args = { id: Args.string({ description: 'act_…', required: true }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(ActionsUndo)
    return this.withDoor(flags, '.', async (door) => {
      const action = await door.ask<ActionShown>('POST', '/v1/actions/{id}/undo', { params: { id: args.id } })
      return { text: renderActions([action]), json: action, exit: endedExit([action.state]) }
    })
  }
}
