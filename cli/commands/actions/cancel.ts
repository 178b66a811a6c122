import { ControlCommand } from '../../control-command.ts'

export default class ActionsCancel extends ControlCommand {
  static override summary = 'End an action of which nothing is under way: planned, held, or waiting to be tried again.'
  static override examples = ['<%= config.bin %> actions cancel act_0190… --reason "ticket 4711"']

  protected verb() {
    return { name: 'cancel' }
  }
}
