import { expect, test } from 'vitest'
import { digestJson } from '../../controller/domain/digest.ts'
import type { Json, JsonObject } from '../../controller/domain/json.ts'
import { kinds, skillTierFloor, validateDocument, withDefaults } from '../../schemas/index.ts'
import { threadMs } from '../support/thread-time.ts'
import { documentOf, minimal } from './documents.ts'

test('a default of v1 never changes: the digest of the smallest document of every kind is for ever', async () => {
  const rows = kinds.map(({ kind }) => {
    const { name = 'some-name', spec } = minimal[kind]
    const filled = withDefaults(kind, spec as JsonObject)
    return `${kind.padEnd(16)} ${digestJson({ kind, metadata: { name }, spec: filled } as Json)} ${JSON.stringify(filled)}`
  })
  await expect(`${rows.join('\n')}\n`).toMatchFileSnapshot('../golden/schemas/default-digests.txt')
})

test.each([
  { name: 'a tool is tier 2 and blind', tool: {}, want: { onUnknown: 'hold', tier: 2, effect: 'blind' } },
  { name: 'tier 0 is a read', tool: { tier: 0 }, want: { onUnknown: 'hold', tier: 0, effect: 'read' } },
  { name: 'a read is tier 0', tool: { effect: 'read' }, want: { onUnknown: 'hold', tier: 0, effect: 'read' } },
  {
    name: 'a tool without side effects is a read',
    tool: { sideEffecting: false },
    want: { onUnknown: 'hold', sideEffecting: false, tier: 0, effect: 'read' },
  },
  {
    name: 'a keyed tool has a window',
    tool: { effect: 'keyed', tier: 1 },
    want: { onUnknown: 'hold', tier: 1, effect: 'keyed', keyWindow: '24h' },
  },
])('defaults depend on other fields: $name', ({ tool, want }) => {
  const spec = { version: '1.0.0', auth: { kind: 'none' }, runtime: 'builtin', tools: { 'order.hold': tool } }
  expect((withDefaults('Connector', spec).tools as JsonObject)['order.hold']).toEqual(want)
})

test.each([
  { spec: {}, want: { risk: 'medium', confirm: true } },
  { spec: { risk: 'low' }, want: { risk: 'low', confirm: false } },
  { spec: { risk: 'high' }, want: { risk: 'high', confirm: true } },
  { spec: { risk: 'high', confirm: false }, want: { risk: 'high', confirm: false } },
  { spec: { execution: { agent: { labels: {} } } }, want: { risk: 'high', confirm: true } },
])('a skill with $spec has risk and confirmation $want', ({ spec, want }) => {
  expect(withDefaults('Skill', { capability: 'csv.profile', ...spec })).toMatchObject(want)
})

test('a map may hold a key named like the prototype', () => {
  const labels = JSON.parse('{"__proto__": {"type": "text", "default": null}}')
  const filled = withDefaults('Table', { columns: labels, primaryKey: ['a'] }) as { columns: object }
  expect(Object.hasOwn(filled.columns, '__proto__')).toBe(true)
})

test('10,000 small documents are validated and filled within 300 ms', () => {
  const documents = Array.from({ length: 10_000 }, (_, index) => {
    const { kind } = kinds[index % kinds.length]!
    const { slug, name = `name-${index}`, spec } = minimal[kind]
    return { kind, slug, document: documentOf(kind, spec, name) as { spec: JsonObject } }
  })
  const run = () => {
    const began = threadMs()
    let problems = 0
    for (const { kind, slug, document } of documents) {
      problems += validateDocument(kind, document as never, { slug }).length
      withDefaults(kind, document.spec)
    }
    return { ms: threadMs() - began, problems }
  }
  const runs = [run(), run(), run()]
  expect(runs.map(({ problems }) => problems)).toEqual([0, 0, 0])
  expect(Math.min(...runs.map(({ ms }) => ms))).toBeLessThan(300)
})

test.each([
  { name: 'without an asset', skill: {}, asset: null, tier: 1 },
  { name: 'a script without network', skill: {}, asset: { type: 'python', sandbox: { network: 'none' } }, tier: 1 },
  { name: 'a script with network', skill: {}, asset: { type: 'node', sandbox: { network: ['example.com'] } }, tier: 2 },
  { name: 'a shell script', skill: {}, asset: { type: 'shell' }, tier: 2 },
  { name: 'an HTTP resource that deletes', skill: {}, asset: { type: 'http', http: { method: 'DELETE' } }, tier: 2 },
  { name: 'a local agent, whatever the asset', skill: { execution: 'agent' }, asset: { type: 'shell' }, tier: 3 },
])('the least tier of a skill follows from facts: $name', ({ skill, asset, tier }) => {
  expect(skillTierFloor(skill, asset).tier).toBe(tier)
})
