import { AnswerCommand } from '../../answer-command.ts'

export default class PlansVeto extends AnswerCommand {
  static override summary = 'Veto what waits: one veto of any of its approvers ends it.'
  static override examples = ['<%= config.bin %> plans veto act_0190… --reason "wrong quarter"']

  protected readonly decision = 'veto'
}
