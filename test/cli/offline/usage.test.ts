import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadManifest } from '../../../cli/manifest/load-config.ts'
import { fibricBatch, folderWith, type Ran, remove, root } from '../../support/cli.ts'

const { commands } = await loadManifest(root)

interface Mistake {
  readonly what: string
  readonly argv: readonly string[]
}

/** Everything that can be got wrong with one command before it does anything. */
function mistakesOf({ id, args, flags }: (typeof commands)[string]): Mistake[] {
  const words = id.split(':')
  const line = words.join(' ')
  const required = Object.values(args).filter((arg) => arg.required)
  const valid = required.map((arg) => arg.options?.[0] ?? 'x')
  const closed = Object.values(flags).filter((flag) => flag.type === 'option' && flag.options)
  const mistakes = [
    { what: `${line}: an unknown flag`, argv: [...words, ...valid, '--no-such-flag'] },
    { what: `${line}: an unknown flag before everything`, argv: [...words, '--no-such-flag=x', ...valid] },
    { what: `${line}: too many arguments`, argv: [...words, ...Object.keys(args).map((_, i) => valid[i] ?? 'x'), 'y'] },
    ...closed.map(({ name }) => ({
      what: `${line}: a bad value of --${name}`,
      argv: [...words, ...valid, `--${name}=no-such-value`],
    })),
    ...Object.values(flags)
      .filter(({ type }) => type === 'option')
      .map(({ name }) => ({ what: `${line}: --${name} without a value`, argv: [...words, ...valid, `--${name}`] })),
  ]
  if (required.length > 0) mistakes.push({ what: `${line}: a missing argument`, argv: words })
  if (args && Object.values(args)[0]?.options)
    mistakes.push({ what: `${line}: a bad argument`, argv: [...words, 'no-such-value'] })
  return mistakes
}

const topics = [...new Set(Object.keys(commands).flatMap((id) => (id.includes(':') ? [id.split(':')[0]!] : [])))]
const mistakes: Mistake[] = [
  ...Object.values(commands).flatMap(mistakesOf),
  { what: 'an unknown command', argv: ['no-such-command'] },
  { what: 'an unknown command with flags', argv: ['no-such-command', '--tenant', 'acme'] },
  { what: 'an unknown command with words', argv: ['no-such', 'command', 'at', 'all'] },
  { what: 'a flag and no command', argv: ['--no-such-flag'] },
  ...topics.flatMap((topic) => [
    { what: `the topic ${topic} alone`, argv: [topic] },
    { what: `an unknown command of ${topic}`, argv: [topic, 'no-such-command'] },
  ]),
]

describe('wrong usage', () => {
  let folder: string
  let plain: Ran[]
  let json: Ran[]
  beforeAll(async () => {
    folder = folderWith({ 'tenants/.keep': '' })
    const withJson = mistakes.map(({ argv }) => [argv[0]!, '--json', ...argv.slice(1)])
    const inOrder = mistakes.map(({ argv }, index) => {
      // Behind the command's words, and behind a flag that lacks its value it would be that value.
      const words = wordsOf(argv)
      return words === 0 ? withJson[index]! : [...argv.slice(0, words), '--json', ...argv.slice(words)]
    })
    plain = await fibricBatch(
      mistakes.map(({ argv }) => argv),
      folder,
    )
    json = await fibricBatch(inOrder, folder)
  })
  afterAll(() => remove(folder))

  test('covers every command', () => {
    expect(Object.keys(commands).length).toBeGreaterThan(25)
    for (const id of Object.keys(commands))
      expect(mistakes.some(({ argv }) => argv.join(':').startsWith(id))).toBe(true)
  })

  test.each(mistakes.map(({ what }, index) => ({ what, index })))(
    '$what is told on stderr, with exit code 64',
    ({ index }) => {
      const { stdout, stderr, exit } = plain[index]!
      expect({ stdout, exit }, stderr).toEqual({ stdout: '', exit: 64 })
      expect(stderr).toMatch(/^error \S.* \(USAGE\)\nhint: {2}\S.*\n$/)
      expect(stderr).not.toMatch(/\n\s+at |›|Error:|See more help/)
      expect(stripVTControlCharacters(stderr)).toBe(stderr)
    },
  )

  test.each(mistakes.map(({ what }, index) => ({ what, index })))(
    '$what is one JSON object with --json',
    ({ index }) => {
      const { stdout, stderr, exit } = json[index]!
      expect({ stderr, exit }, stdout).toEqual({ stderr: '', exit: 64 })
      const { error } = JSON.parse(stdout)
      expect(error).toMatchObject({ type: 'error', code: 'USAGE' })
      expect(error.message).toMatch(/^[a-z`][^\n]*[^.\n]$/)
      expect(error.hint).toMatch(/^\S[^\n]*$/)
    },
  )
})

function wordsOf(argv: readonly string[]): number {
  const end = argv.findIndex((word) => word.startsWith('-'))
  const words = end === -1 ? [...argv] : argv.slice(0, end)
  for (let length = words.length; length > 0; length--) if (words.slice(0, length).join(':') in commands) return length
  return Math.min(words.length, 1)
}
