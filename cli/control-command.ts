import { Args, Flags } from '@oclif/core'
import { FibricError } from '../controller/domain/errors.ts'
import { controlAction, type Verb } from '../controller/operations/actions.ts'
import { effectJson } from '../controller/operations/effect-objects.ts'
import type { Outcome } from './base-command.ts'
import { EngineCommand } from './engine-command.ts'
import { renderActions } from './views/actions.ts'

/** What `actions cancel`, `actions kill` and `actions resolve` share. */
export abstract class ControlCommand extends EngineCommand {
  static override args = { id: Args.string({ description: 'act_…', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the ledger', required: true }) }

  protected abstract verb(flags: { readonly [name: string]: unknown }): Verb | null

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(this.ctor as typeof ControlCommand)
    const verb = this.verb(flags)
    if (verb === null) {
      throw new FibricError('USAGE', 'it either happened or it did not', { hint: 'say --happened or --not-happened' })
    }
    return this.withEngine(flags, '.', async (engine) => {
      const action = await controlAction(engine, args.id, verb, flags.reason)
      return { text: renderActions([action]), json: effectJson(action) }
    })
  }
}
