import { describe, expect, test } from 'vitest'
import { repositoryFiles, sourceFiles, textOf } from './sources.ts'

const written = sourceFiles().filter(
  (path) => !path.startsWith('schemas/generated/') && !path.startsWith('test/house/'),
)
const texts = repositoryFiles().filter(
  (path) => path !== 'package-lock.json' && !path.startsWith('test/corpus/') && !path.startsWith('test/house/'),
)

describe('the sources', () => {
  test.each([
    { name: 'leave nothing for later', among: texts, pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/ },
    {
      name: 'name no folder of the machine they were written on',
      among: texts,
      pattern: /(?<![\w.~-])\/(?:work|Users)\/\w/,
    },
    { name: 'use no `any`', among: written, pattern: /\bas any\b|:\s*any\b(?=[\s,;)=\]|&]|$)|<any[,>]|\bany\[\]/ },
    {
      name: 'silence neither compiler nor linter without a reason',
      among: written,
      pattern: /@ts-(?:ignore|nocheck)|@ts-expect-error\s*$|biome-ignore [\w/]+\s*$/,
    },
    {
      name: 'swallow no error without a word on why',
      among: written.filter((path) => !path.startsWith('test/')),
      pattern: /(?:catch\s*(?:\(\w*\)\s*)?\{\s*\}|\.catch\(\(\)\s*=>\s*(?:\{\s*\}|undefined|null)\))(?!.*\/\/ \w)/,
    },
    {
      name: 'skip no test, and run none alone',
      among: written,
      pattern: /\b(?:test|it|describe)(?:\.\w+)*\.(?:skip|only|todo)\b(?!If)|\bx(?:it|describe)\(/,
    },
  ])('$name', ({ among, pattern }) => {
    const offences = among.flatMap((path) =>
      textOf(path)
        .split('\n')
        .flatMap((line, index) =>
          pattern.test(line) && !/^\s*(?:\*|\/\/|\/\*)/.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [],
        ),
    )
    expect(offences).toEqual([])
  })

  test('import with the extension that is on disk', () => {
    const offences = written.filter((path) => /from '\.[^']*(?<!\.(?:ts|js|mjs|json))'/.test(textOf(path)))
    expect(offences).toEqual([])
  })

  test('are named in lower case with dashes', () => {
    const exempt = /^(?:schemas\/rules|test\/)/
    const names = written.filter((path) => !exempt.test(path)).map((path) => path.slice(path.lastIndexOf('/') + 1))
    expect(
      names.filter((name) => !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:config|test|property))*\.(?:ts|mjs)$/.test(name)),
    ).toEqual([])
  })

  test('have no drawer for everything', () => {
    expect(
      written.filter((path) => /(?:^|\/)(?:utils?|helpers?|managers?|common|misc)(?:\/|\.ts$)/.test(path)),
    ).toEqual([])
  })
})
