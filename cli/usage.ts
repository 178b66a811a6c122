import type { Errors } from '@oclif/core'
import { closest } from '../schemas/suggest.ts'

export interface Usage {
  readonly message: string
  readonly hint: string
}

/** A mistake that oclif's parser found, in our words: its own are made for its own layout. */
export function usageOf(error: Errors.CLIError): Usage {
  const input = (error as ParserError).parse?.input
  const help = input?.context?.id
    ? `see: fibric ${input.context.id.replaceAll(':', ' ')} --help`
    : 'see: fibric COMMAND --help'
  // The parser's text ends in its own advice; ours is the hint.
  const text = error.message.replace(/\n+See more help with --help\s*$/, '').trim()
  for (const { found, message, near } of sentences) {
    const match = found.exec(text)
    if (match === null) continue
    const meant = near?.(match, input) ?? null
    return { message: message(match), hint: meant === null ? help : `did you mean \`${meant}\`?` }
  }
  const line = reason(text)
  return { message: line.charAt(0).toLowerCase() + line.slice(1), hint: help }
}

interface ParserError {
  readonly parse?: { readonly input?: ParserInput }
}

interface ParserInput {
  readonly flags?: { readonly [name: string]: unknown }
  readonly context?: { readonly id?: string }
}

interface Sentence {
  readonly found: RegExp
  message(match: RegExpExecArray): string
  near?(match: RegExpExecArray, input: ParserInput | undefined): string | null
}

const sentences: readonly Sentence[] = [
  {
    found: /^Nonexistent flags?: (.+)/,
    message: ([, flags]) => `there is no flag ${list(flags!)}`,
    near: ([, flags], input) => {
      const names = Object.keys(input?.flags ?? {}).map((name) => `--${name}`)
      return closest(flags!.split(', ')[0]!.split('=')[0]!, names)
    },
  },
  { found: /^Unexpected arguments?: (.+)/, message: ([, args]) => `nothing takes the argument ${list(args!)}` },
  { found: /^Missing \d+ required args?:\n([\s\S]+)/, message: ([, args]) => `missing argument ${names(args!)}` },
  { found: /^Missing \d+ required args?/, message: () => 'an argument is missing' },
  {
    found: /^\s*Missing required flag (\S+)/m,
    message: ([, flag]) => `missing flag \`--${flag!.replace(/^-+/, '')}\``,
  },
  { found: /^Flag (--\S+) expects a value/, message: ([, flag]) => `\`${flag}\` needs a value` },
  {
    found: /^Flag (--\S+) expects one of these values: (.+)/,
    message: ([, flag, values]) => `\`${flag}\` needs a value, one of: ${values}`,
  },
  {
    found: /^Expected (--[^\s=]+)=([\s\S]*) to be one of: (.+)$/,
    message: ([, flag, given, values]) => `\`${flag}\` cannot be \`${given}\`: it is one of ${values}`,
    near: ([, flag, given, values]) => {
      const value = closest(given!, values!.split(', '))
      return value === null ? null : `${flag}=${value}`
    },
  },
  {
    found: /^Expected ([\s\S]*) to be one of: (.+)$/,
    message: ([, given, values]) => `the argument \`${given}\` is none of: ${values}`,
    near: ([, given, values]) => closest(given!, values!.split(', ')),
  },
  {
    found: /^(?:Parsing (--\S+)\s+)?Expected an integer (?:(.+) )?but received: ([\s\S]*)/,
    message: ([, flag, bound, given]) =>
      `${flag ? `\`${flag}\` cannot be \`${given}\`: it` : `\`${given}\``} is no whole number${bound ? ` of at ${bound.startsWith('less') ? 'most' : 'least'} ${bound.split(' ').at(-1)}` : ''}`,
  },
]

/** What follows "The following error occurred:", without colours. */
function reason(text: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  const [first = '', second] = lines.filter((line) => line !== '')
  return (first.startsWith('The following') && second !== undefined ? second : first).replace(/\.$/, '')
}

function list(text: string): string {
  return text
    .split(', ')
    .map((item) => `\`${item}\``)
    .join(', ')
}

/** The first word of each line of oclif's table of arguments. */
function names(table: string): string {
  const found = table.split('\n').flatMap((line) => /^(\S+)/.exec(line.trim())?.[1] ?? [])
  return found.map((name) => `\`${name.toUpperCase()}\``).join(', ')
}
