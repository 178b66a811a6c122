import { Args, Flags } from '@oclif/core'
import type { List } from '../controller/door/door.ts'
import type { AnswerShown } from '../controller/operations/objects.ts'
import type { Outcome } from './base-command.ts'
import { endedExit } from './ended-exit.ts'
import { EngineCommand } from './engine-command.ts'
import { renderAnswered } from './views/plans.ts'

/** What `plans approve` and `plans veto` share. */
export abstract class AnswerCommand extends EngineCommand {
  static override args = {
    id: Args.string({ description: 'pl_…, act_…, co_… or the id of a configuration plan', required: true }),
  }
  static override flags = { reason: Flags.string({ description: 'why, for the receipt' }) }

  protected abstract readonly decision: 'approve' | 'veto'

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(this.ctor as typeof AnswerCommand)
    const asked = { params: { id: args.id }, body: flags.reason === undefined ? {} : { reason: flags.reason } }
    return this.withDoor(flags, '.', async (door) => {
      const answers = await door.ask<List<AnswerShown>>('POST', `/v1/plans/{id}/${this.decision}`, asked)
      const answered = answers.data
      const exit = this.decision === 'veto' ? 0 : endedExit(answered.map(({ outcome }) => outcome))
      return { text: renderAnswered(answered), json: answers, exit }
    })
  }
}
