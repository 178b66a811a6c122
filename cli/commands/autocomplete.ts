import { Args } from '@oclif/core'
import { FibricCommand, type Outcome } from '../base-command.ts'
import { bashScript } from '../completion/bash.ts'
import { completionsOf } from '../completion/completions.ts'
import { fishScript } from '../completion/fish.ts'
import { zshScript } from '../completion/zsh.ts'
import { loadConfig } from '../manifest/load-config.ts'

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript }

export default class Autocomplete extends FibricCommand {
  static override summary = 'Print a script that completes commands and flags in a shell.'
  static override description = 'The script knows the commands of this version: print it again after an upgrade.'
  static override examples = [
    {
      description: 'bash, in ~/.bashrc',
      command: 'source <(<%= config.bin %> autocomplete bash)',
    },
    {
      description: 'zsh, in ~/.zshrc after compinit',
      command: 'source <(<%= config.bin %> autocomplete zsh)',
    },
    {
      description: 'fish',
      command: '<%= config.bin %> autocomplete fish > ~/.config/fish/completions/<%= config.bin %>.fish',
    },
  ]
  static override args = {
    shell: Args.string({ description: 'bash, zsh or fish', required: true, options: ['bash', 'zsh', 'fish'] }),
  }

  protected async execute(): Promise<Outcome> {
    const { args } = await this.parse(Autocomplete)
    const shell = args.shell as keyof typeof scripts
    const script = scripts[shell](completionsOf(await loadConfig(this.config.root)))
    return { text: script, json: { object: 'completion', shell, script } }
  }
}
