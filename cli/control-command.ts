import { Args, Flags } from '@oclif/core'
import { FibricError } from '../controller/domain/errors.ts'
import type { ActionShown } from '../controller/operations/effect-objects.ts'
import type { Outcome } from './base-command.ts'
import { EngineCommand } from './engine-command.ts'
import { renderActions } from './views/actions.ts'

interface Verb {
  readonly name: string
  readonly says?: object
}

/** What `actions cancel`, `actions kill` and `actions resolve` share. */
export abstract class ControlCommand extends EngineCommand {
  static override args = { id: Args.string({ description: 'act_…', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the ledger', required: true }) }

  /** What the route is called, and what its body says beside the reason; null where the flags do not say what. */
  protected abstract verb(flags: { readonly [name: string]: unknown }): Verb | null

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(this.ctor as typeof ControlCommand)
    const verb = this.verb(flags)
    if (verb === null) {
      throw new FibricError('USAGE', 'it either happened or it did not', { hint: 'say --happened or --not-happened' })
    }
    const asked = { params: { id: args.id }, body: { ...verb.says, reason: flags.reason } }
    return this.withDoor(flags, '.', async (door) => {
      const action = await door.ask<ActionShown>('POST', `/v1/actions/{id}/${verb.name}`, asked)
      return { text: renderActions([action]), json: action }
    })
  }
}
