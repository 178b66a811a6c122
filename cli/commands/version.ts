import { engineVersion } from '../../controller/domain/engine.ts'
import { FibricCommand, type Outcome } from '../base-command.ts'

export default class Version extends FibricCommand {
  static override summary = 'Print the version.'
  static override description = 'Scripts may call it often: it loads nothing else.'
  static override examples = ['<%= config.bin %> version', '<%= config.bin %> version --json']

  protected async execute(): Promise<Outcome> {
    await this.parse(Version)
    const version = engineVersion.slice(engineVersion.indexOf('/') + 1)
    return { text: version, json: { object: 'version', version } }
  }
}
