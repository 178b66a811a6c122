import { describe, expect, test } from 'vitest'
import { sourceFiles, textOf } from '../house/sources.ts'

const store = 'controller/store/'
const sources = sourceFiles().filter((path) => /^(?:cli|controller|schemas)\//.test(path) && path.endsWith('.ts'))
const inStore = sources.filter((path) => path.startsWith(store))

/** Template and string literals of a source, comments left out. */
function literals(path: string): string[] {
  const code = textOf(path)
    .replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, '')
    .replace(/\s\/\/ .*$/gm, '')
  return [...code.matchAll(/`(?:[^`\\]|\\[\s\S])*`|'(?:[^'\\\n]|\\.)*'/g)].map(([text]) => text.slice(1, -1))
}

const statement =
  /^\s*(?:select\b[\s\S]+\bfrom\s+[\w.]+|insert\s+into\b|update\s+[\w.]+\s+set\b|delete\s+from\b|begin\s+isolation\b|set\s+local\b|with\s+\w+\s+as\s*\(|(?:create|alter|drop)\s+(?:table|role|schema|policy|index|database|function)\b)/i

/** Names after FROM, JOIN, INTO and UPDATE that are neither of a schema nor made by the statement itself. */
function unqualified(sql: string): string[] {
  const made = new Set(
    [
      ...sql.matchAll(/(?:\bas|\)|\bwith|,)\s+(\w+)\s*(?:\(|as\s*\()/gi),
      ...sql.matchAll(/\blateral\s*\([\s\S]*?\)\s+(?:as\s+)?(\w+)/gi),
    ].map(([, name]) => name!.toLowerCase()),
  )
  const functions = new Set([
    'unnest',
    'jsonb_to_recordset',
    'jsonb_array_elements_text',
    'pg_control_system',
    'lateral',
    'only',
  ])
  return [
    ...sql.matchAll(
      /(?<!\bis distinct )(?<!\bfor )(?<!\bextract\(\w+ )\b(?:from|join|into|update)\s+(?:only\s+)?([a-z_][\w.]*)/gi,
    ),
  ]
    .map(([, name]) => name!.toLowerCase())
    .filter((name) => !/^(?:fibric|pg_catalog)\./.test(name) && !/^pg_/.test(name))
    .filter(
      (name) => !functions.has(name) && !made.has(name) && !['set', 'select', 'found', 'where', 'and'].includes(name),
    )
}

describe('statements', () => {
  test('stand in the store and nowhere else', () => {
    const strays = sources
      .filter((path) => !path.startsWith(store))
      .flatMap((path) =>
        literals(path).flatMap((text) => (statement.test(text) ? [`${path}: ${text.slice(0, 80)}`] : [])),
      )
    expect(strays).toEqual([])
  })

  test('name the schema of every table', () => {
    const found = inStore.flatMap((path) =>
      literals(path).flatMap((text) =>
        statement.test(text) ? unqualified(text).map((name) => `${path}: ${name}`) : [],
      ),
    )
    expect(found).toEqual([])
  })

  test('are found at all, or the two tests above would prove nothing', () => {
    const found = inStore.flatMap(literals).filter((text) => statement.test(text))
    expect(found.length).toBeGreaterThan(40)
    expect(unqualified('select * from action a join fibric.approval p on true')).toEqual(['action'])
    expect(unqualified('insert into action (a) values (1)')).toEqual(['action'])
    expect(unqualified('update action set a = 1')).toEqual(['action'])
  })

  test('reach the driver through one file', () => {
    expect(sources.filter((path) => /from 'pg'/.test(textOf(path)))).toEqual([`${store}pool.ts`])
  })
})
