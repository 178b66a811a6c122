import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { attributeNames } from '../../../controller/reconciler/git/git-objects.ts'
import { attributeRules, ignoreRule } from '../../../controller/reconciler/git/rule-files.ts'
import { conversionOf, convertToGit } from '../../../controller/reconciler/git/text-conversion.ts'
import { gitRepository, type TestRepository } from '../../support/git-repository.ts'

// What git decides, decided without it: patterns, attributes and line endings are compared with the git binary itself.

let repository: TestRepository

beforeAll(() => {
  repository = gitRepository()
  repository.git('config', 'core.safecrlf', 'false')
})

afterAll(() => repository.remove())

function ask(args: readonly string[], input: string | Buffer): string {
  const answer = spawnSync('git', args, {
    cwd: repository.directory,
    input,
    env: { PATH: process.env.PATH, HOME: '/nonexistent' },
  })
  expect(answer.stderr.toString()).toBe('')
  return answer.stdout.toString('utf8')
}

const names = ['a', 'b', 'ab', 'a.b', 'x.yaml', 'A', 'a-b', 'é', ']', '[a]', '*', '!a', '#a', 'a b']
const paths = names.flatMap((name) => [
  name,
  ...names.slice(0, 6).flatMap((folder) => [`${folder}/${name}`, `a/${folder}/${name}`]),
])
const piece = fc.constantFrom(
  ...[
    'a',
    'b',
    'ab',
    '*',
    '**',
    '?',
    '/',
    '/**/',
    '**/',
    '/**',
    '.',
    'x.yaml',
    '*.yaml',
    '[ab]',
    '[!a]',
    '[^a]',
    '[a-c]',
  ],
  ...[
    '[[:alpha:]]',
    '[[:punct:]]',
    '[[:what:]]',
    '[a-]',
    '[z-ab]',
    '[!z-a]',
    '[]a]',
    '[]',
    '[a',
    '\\\\*',
    '\\\\a',
    '!',
    '#',
    'é',
    ' ',
    '[é-ü]',
    '[\\\\]]',
    '[z-a]',
    '***',
    'a**b',
  ],
)
const patternText = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(''))

test('ignore patterns match what git says they match', () => {
  fc.assert(
    fc.property(fc.array(patternText, { minLength: 1, maxLength: 3 }), (patterns) => {
      const text = `${patterns.join('\n')}\n`
      repository.write({ '.gitignore': text })
      // Only the last component counts here: that an ignored folder hides what is in it is the walk's business.
      const input = paths.map((path) => `${path}\0`).join('')
      const rows = ask(['check-ignore', '--no-index', '--verbose', '--non-matching', '-z', '--stdin'], input).split(
        '\0',
      )
      const rule = ignoreRule({ folder: '', text })
      for (let at = 0; at + 3 < rows.length; at += 4) {
        const [pattern, path] = [rows[at + 2]!, rows[at + 3]!]
        const want = pattern === '' ? null : !pattern.startsWith('!')
        const parents = path
          .split('/')
          .slice(0, -1)
          .map((_, depth, all) => all.slice(0, depth + 1).join('/'))
        const hidden = parents.some((parent) => rule(parent, true) === true)
        const got = hidden ? true : rule(path, false)
        expect({ text, path, ignored: got }).toEqual({ text, path, ignored: want })
      }
    }),
    { numRuns: 150 },
  )
})

test('attributes are what git says they are', () => {
  const word = fc.constantFrom(
    'text',
    '-text',
    '!text',
    'text=auto',
    'eol=lf',
    'eol=crlf',
    'binary',
    'filter=x',
    '-crlf',
    'mine',
  )
  const line = fc.tuple(patternText, fc.array(word, { minLength: 1, maxLength: 3 }))
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 4 }), (lines) => {
      // Patterns with blanks would need quotes, negative ones are refused with a warning.
      const usable = lines.filter(([pattern]) => !/^[!#"]| /.test(pattern))
      const text = `[attr]mine text=auto ident\n${usable.map(([pattern, words]) => `${pattern} ${words.join(' ')}`).join('\n')}\n`
      repository.write({ '.gitignore': null, '.gitattributes': text })
      const words = ask(
        ['check-attr', '--stdin', '-z', ...attributeNames],
        paths.map((path) => `${path}\0`).join(''),
      ).split('\0')
      const attributesOf = attributeRules([{ folder: '', text }])
      for (let at = 0; at + 2 < words.length; at += 3) {
        const [path, name, value] = [words[at]!, words[at + 1]!, words[at + 2]!]
        const found = attributesOf(path)[name as 'text']
        const got = found === undefined ? 'unspecified' : found === true ? 'set' : found === false ? 'unset' : found
        expect({ text, path, name, value: got }).toEqual({ text, path, name, value })
      }
    }),
    { numRuns: 60 },
  )
})

test('a file’s bytes are converted as git converts them', async () => {
  repository.write({ '.gitattributes': '*.auto text=auto\n*.text text\n*.id ident\n*.both text=auto ident eol=crlf\n' })
  const attributesOf = attributeRules([
    { folder: '', text: '*.auto text=auto\n*.text text\n*.id ident\n*.both text=auto ident eol=crlf\n' },
  ])
  const part = fc.constantFrom(
    'a',
    '\r\n',
    '\n',
    '\r',
    '\0',
    '\x01',
    '\x7f',
    '\x1a',
    '$Id$',
    '$Id: x $',
    '$Id:',
    '$',
    'word '.repeat(30),
    'é',
  )
  const bytes = fc.array(part, { maxLength: 8 }).map((parts) => Buffer.from(parts.join('')))
  const name = fc.constantFrom('x.auto', 'x.text', 'x.id', 'x.both', 'x.none')
  const autocrlf = fc.constantFrom('true', 'false', 'input')
  await fc.assert(
    fc.asyncProperty(name, bytes, autocrlf, async (path, content, setting) => {
      const settings = new Map([['core.autocrlf', setting]])
      const conversion = conversionOf(attributesOf(path), settings)
      expect(conversion.kind).not.toBe('refused')
      const converted =
        conversion.kind === 'text' ? await convertToGit(content, conversion, async () => false) : content
      const want = ask(['-c', `core.autocrlf=${setting}`, 'hash-object', '--stdin', '--path', path], content)
      const got = ask(['hash-object', '--stdin', '--no-filters'], converted)
      expect({ path, content: content.toString(), setting, same: got === want }).toMatchObject({ same: true })
    }),
    { numRuns: 200 },
  )
})
