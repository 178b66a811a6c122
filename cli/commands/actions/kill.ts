import { ControlCommand } from '../../control-command.ts'

export default class ActionsKill extends ControlCommand {
  static override summary =
    'Take an action away from whoever carries it out: the request is aborted, and what it did is in doubt.'
  static override examples = ['<%= config.bin %> actions kill act_0190… --reason "ticket 4711"']

  protected verb() {
    return { name: 'kill' }
  }
}
