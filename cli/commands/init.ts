import { Args } from '@oclif/core'
import { FibricCommand, type Outcome } from '../base-command.ts'
import { scaffold } from '../init/scaffold.ts'
import { renderScaffold, scaffoldJson } from '../views/init.ts'
import { paint } from '../views/paint.ts'

export default class Init extends FibricCommand {
  static override summary = 'Make a configuration repository that validates and applies as it stands.'
  static override description =
    `Writes a deployment, a platform with one connector and one policy, and a tenant with an operator.
Nothing that is there is overwritten.`
  static override examples = ['<%= config.bin %> init', '<%= config.bin %> init my-deployment']
  static override args = { dir: Args.string({ description: 'folder to make; it may exist', default: '.' }) }

  protected async execute(): Promise<Outcome> {
    const { args } = await this.parse(Init)
    const made = await scaffold(args.dir)
    return { text: renderScaffold(made, process.cwd(), paint(process.stdout)), json: scaffoldJson(made) }
  }
}
