import { Command, Flags, type Interfaces } from '@oclif/core'
import { FibricError } from '../controller/domain/errors.ts'
import { wantsJson } from './command-line.ts'

/** What a command found out: a text for people, the same for machines, and the exit code it means. */
export interface Outcome {
  readonly text: string
  readonly json: unknown
  /** Diagnostics and remarks for people: they go to stderr, and machines find theirs in `json`. */
  readonly notes?: string
  readonly exit?: number
  /** Whether `json` is a list to be printed one item a line. */
  readonly jsonLines?: boolean
}

/** Parsed flags or arguments, by name. */
interface Parsed {
  readonly [name: string]: unknown
}

/** One command: parses, asks the engine, and answers an outcome. What it looks like is a view's business. */
export abstract class FibricCommand extends Command {
  static override baseFlags = {
    json: Flags.boolean({ description: 'print JSON instead of text', helpGroup: 'GLOBAL' }),
  }

  protected abstract execute(): Promise<Outcome>

  /** Runs it through oclif's life of a command, and answers the exit code. */
  start(): Promise<number> {
    return this._run<number>()
  }

  async run(): Promise<number> {
    if (!('server' in this.ctor.baseFlags) && namesServer(this.argv)) throw onlyHere(this.ctor.id)
    const outcome = await this.execute()
    const json = wantsJson(this.argv)
    if (!json && outcome.notes) process.stderr.write(ended(outcome.notes))
    const text = json ? jsonText(outcome) : outcome.text
    if (text !== '') await write(ended(text))
    return outcome.exit ?? 0
  }

  /**
   * What a subclass inherits counts as its own (oclif forgets inherited arguments), and an argument comes from the command
   * line alone: oclif reads a missing one from stdin, and so eats the input of the loop that a command runs in.
   */
  protected override async parse<F extends Parsed, B extends Parsed, A extends Parsed>(
    options?: Interfaces.Input<F, B, A>,
    argv?: string[],
  ): Promise<Interfaces.ParserOutput<F, B, A>> {
    if (!options) return super.parse<F, B, A>(options, argv)
    const { args, flags, baseFlags } = options
    const own = Object.entries(args ?? {}).map(([name, arg]) => [name, { ...arg, ignoreStdin: true }])
    return super.parse<F, B, A>(
      { ...options, ...(flags && { flags }), ...(baseFlags && { baseFlags }), args: Object.fromEntries(own) },
      argv,
    )
  }

  /** Errors go up to `main`, which maps all of them alike. */
  protected override async catch(error: Error): Promise<never> {
    throw error
  }
}

/** What works on files and processes of this machine has nothing to ask a server. */
export function onlyHere(id: string): FibricError {
  const name = id.replaceAll(':', ' ')
  return new FibricError('USAGE', `\`${name}\` works on this machine alone, not over a server`, {
    hint: `leave out --server: fibric ${name}`,
  })
}

function namesServer(argv: readonly string[]): boolean {
  return argv.some((word) => word === '--server' || word.startsWith('--server='))
}

function jsonText({ json, jsonLines }: Outcome): string {
  if (jsonLines && Array.isArray(json)) return json.map((item) => JSON.stringify(item)).join('\n')
  return JSON.stringify(json, null, 2)
}

function ended(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
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
