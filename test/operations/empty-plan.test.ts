import { afterEach, expect, test } from 'vitest'
import { fates, summary, type TestEngine, testEngine } from '../support/engine.ts'
import { docs, governed, open, parameter, role } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

const settings = 'tenants/acme/settings.yaml'

test('plan, apply, plan: the second plan is empty, and applying it writes nothing', async () => {
  engine = await testEngine({ ...open, [settings]: docs(parameter('colour', 'red'), parameter('size', 3)) })
  const applied = await engine.apply()
  expect(new Set(Object.values(fates(applied)))).toEqual(new Set(['applied']))
  expect(summary(await engine.plan())).toEqual([])
  const before = await engine.census()
  expect((await engine.apply()).outcomes).toEqual([])
  expect((await engine.pass()).applied).toBeNull()
  expect(await engine.census()).toEqual(before)
})

const colour = parameter('colour', 'red', 'labels: {team: ops, area: shop}')
const size = parameter('size', 3)
const spellings: readonly (readonly [string, { [path: string]: string | null }])[] = [
  ['a comment', { [settings]: `# about the settings\n${docs(colour, `# a size\n${size}`)}` }],
  ['another order of documents', { [settings]: docs(size, colour) }],
  [
    'another order of keys',
    {
      [settings]: docs(
        'spec: {value: red}\nmetadata: {labels: {area: shop, team: ops}, name: colour}\nkind: Parameter\napiVersion: fibric.io/v1\n',
        size,
      ),
    },
  ],
  [
    'block style, quotes and trailing blanks',
    {
      [settings]: docs(
        `apiVersion: "fibric.io/v1"\nkind: 'Parameter'\nmetadata:\n  name: colour\n  labels:\n    team: ops   \n    area: "shop"\nspec:\n  value: >-\n    red\n`,
        size,
      ),
    },
  ],
  ['JSON', { [settings]: size, 'tenants/acme/colour.json': jsonOf() }],
  ['lines ending in CR LF', { [settings]: docs(colour, size).replaceAll('\n', '\r\n') }],
  ['a moved file', { [settings]: null, 'tenants/acme/deep/er/moved.yml': docs(colour, size) }],
  ['a split file', { [settings]: colour, 'tenants/acme/size.yaml': size }],
]

test.each(spellings)('%s plans nothing', async (_name, files) => {
  engine = await testEngine({ ...open, [settings]: docs(colour, size) })
  await engine.apply()
  engine.write(files)
  expect(summary(await engine.plan())).toEqual([])
})

test('a second pass over a held and a blocked change writes nothing', async () => {
  const policy = governed['tenants/_platform/policy.yaml']!
  engine = await testEngine({
    ...governed,
    'tenants/_platform/policy.yaml': `${policy.trimEnd()}\n    - {id: never, match: {capability: config.menu.create}, decision: BLOCK}\n`,
  })
  await engine.apply()
  engine.write({
    'tenants/acme/roles.yaml': role('clerk'),
    'tenants/acme/menu.yaml':
      'apiVersion: fibric.io/v1\nkind: Menu\nmetadata: {name: main}\nspec: {title: Main, page: home}\n',
  })
  const first = await engine.apply()
  expect(fates(first)).toEqual({ 'acme/Role/clerk': 'held', 'acme/Menu/main': 'blocked' })
  const before = await engine.census()
  expect(fates(await engine.apply())).toEqual({ 'acme/Role/clerk': 'waiting', 'acme/Menu/main': 'settled' })
  expect((await engine.pass()).applied).toBeNull()
  expect(await engine.census()).toEqual(before)
})

function jsonOf(): string {
  return JSON.stringify({
    apiVersion: 'fibric.io/v1',
    kind: 'Parameter',
    metadata: { name: 'colour', labels: { team: 'ops', area: 'shop' } },
    spec: { value: 'red' },
  })
}
