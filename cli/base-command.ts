import { Command, Flags } from '@oclif/core'

/** What a command found out: a text for people, the same for machines, and the exit code it means. */
export interface Outcome {
  readonly text: string
  readonly json: unknown
  readonly exit?: number
}

/** One command: parses, asks the engine, and answers an outcome. What it looks like is a view's business. */
export abstract class FibricCommand extends Command {
  static override baseFlags = {
    json: Flags.boolean({ description: 'print JSON instead of text', helpGroup: 'GLOBAL' }),
  }

  protected abstract execute(): Promise<Outcome>

  async run(): Promise<number> {
    const outcome = await this.execute()
    const json = this.argv.includes('--json')
    const text = json ? `${JSON.stringify(outcome.json, null, 2)}` : outcome.text
    if (text !== '') await write(text.endsWith('\n') ? text : `${text}\n`)
    return outcome.exit ?? 0
  }

  /** Errors go up to `main`, which maps all of them alike. */
  protected override async catch(error: Error): Promise<never> {
    throw error
  }
}

/** A pipe whose reader has gone ends the output, not the command. */
function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE') reject(error)
      else resolve()
    })
  })
}
