import { Args, Flags } from '@oclif/core'
import { answeredJson } from '../controller/operations/objects.ts'
import { answerPlans } from '../controller/operations/plans.ts'
import type { Outcome } from './base-command.ts'
import { EngineCommand } from './engine-command.ts'
import { renderAnswered } from './views/plans.ts'
import { listJson } from './views/table.ts'

/** What `plans approve` and `plans veto` share. */
export abstract class AnswerCommand extends EngineCommand {
  static override args = {
    id: Args.string({ description: 'pl_…, act_…, co_… or the id of a configuration plan', required: true }),
  }
  static override flags = { reason: Flags.string({ description: 'why, for the receipt' }) }

  protected abstract readonly decision: 'approve' | 'veto'

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(this.ctor as typeof AnswerCommand)
    return this.withEngine(flags, '.', async (engine) => {
      const answered = await answerPlans(engine, args.id, this.decision, flags.reason ?? null)
      const refused = answered.some(({ outcome }) => outcome === 'blocked')
      const waits = answered.some(({ outcome }) => outcome === 'held')
      return {
        text: renderAnswered(answered),
        json: listJson(answeredJson(answered)),
        exit: refused ? 3 : waits ? 4 : 0,
      }
    })
  }
}
