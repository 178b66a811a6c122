import { AnswerCommand } from '../../answer-command.ts'

export default class PlansApprove extends AnswerCommand {
  static override summary =
    'Approve what waits; the approval that completes a quorum carries it out before this returns.'
  static override description =
    'Exits 0 when it was carried out, 4 when more approvals are needed, 3 when the rules now in force refuse it, 1 when it failed or is in doubt.'
  static override examples = ['FIBRIC_TOKEN=… <%= config.bin %> plans approve act_0190… --reason "ticket 4711"']

  protected readonly decision = 'approve'
}
