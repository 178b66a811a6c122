import { Args } from '@oclif/core'
import { undoAction } from '../../../controller/operations/actions.ts'
import { effectJson } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { renderActions } from '../../views/actions.ts'

export default class ActionsUndo extends EngineCommand {
  static override summary = 'Propose the declared inverse of an applied action, through the same gate.'
  static override examples = ['<%= config.bin %> actions undo act_0190…']
  static override args = { id: Args.string({ description: 'act_…', required: true }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(ActionsUndo)
    return this.withEngine(flags, '.', async (engine) => {
      const action = await undoAction(engine, args.id)
      const exits: { [state: string]: number } = { blocked: 3, rejected: 3, held: 4, failed: 1 }
      return { text: renderActions([action]), json: effectJson(action), exit: exits[action.state] ?? 0 }
    })
  }
}
