import { Flags } from '@oclif/core'
import { ControlCommand } from '../../control-command.ts'

export default class ActionsResolve extends ControlCommand {
  static override summary = 'Say of an action in doubt whether it happened.'
  static override description =
    'Look at the provider first: the evidence is in `trace`. Your word and your reason go into the receipt.'
  static override examples = ['<%= config.bin %> actions resolve act_0190… --happened --reason "seen in the shop"']
  static override flags = {
    ...ControlCommand.flags,
    happened: Flags.boolean({ description: 'it happened: applied', exclusive: ['not-happened'] }),
    'not-happened': Flags.boolean({ description: 'it did not happen: failed, and it may be proposed again' }),
  }

  protected verb(flags: { readonly [name: string]: unknown }) {
    if (flags.happened !== true && flags['not-happened'] !== true) return null
    return { name: 'resolve', says: { happened: flags.happened === true } }
  }
}
