import { expect, test } from 'vitest'
import type { FieldSchema } from '../../schemas/field-schema.ts'
import { fieldsOf } from '../../schemas/field-text.ts'
import { explain, isExplanation, kinds, walkFields } from '../../schemas/index.ts'

test.each([
  { path: 'Operator.spec.trigger.on', type: 'list of glob', description: 'Globs of event types' },
  { path: 'operators.trigger.on', type: 'list of glob', description: 'Globs of event types' },
  {
    path: 'Connector.spec.tools.order.hold.http.method',
    type: 'GET | HEAD | POST | PUT | PATCH | DELETE',
    description: 'HTTP method',
  },
  {
    path: 'TrustPolicy.rules.alert.approvers.role',
    type: 'name of Role',
    description: 'Role whose holders may approve',
  },
  {
    path: 'Workspace.metadata.name',
    type: 'RFC 1123 label',
    description:
      'Name of the resource: lower-case letters, digits and dashes, at most 63, unique per tenant and kind, immutable',
  },
  {
    path: 'Connection.connector',
    type: 'name of Connector with version',
    description: 'Connector and version, such as `magento@1.2.0`, of this tenant or `_platform`',
  },
  {
    path: 'Skill',
    type: 'map',
    description: 'Capability unit: inputs, outputs, risk, approval, visibility, switches; bound to an Asset or a tool',
  },
])('explains $path', ({ path, type, description }) => {
  const result = explain(path)
  expect(isExplanation(result) && { type: result.type, description: result.description }).toEqual({ type, description })
})

test('explains what a field holds, with defaults and what must be given', () => {
  const result = explain('deployment.brakes')
  expect(isExplanation(result) && result.fields.map(({ name, default: preset }) => [name, preset])).toEqual([
    ['maxDeletePercent', 25],
    ['minObjects', 8],
  ])
})

test.each([
  { path: 'Operater', nearest: 'Operator' },
  { path: 'Operator.spec.triger', nearest: 'Operator.spec.trigger' },
  { path: 'Operator.trigger.onn', nearest: 'Operator.spec.trigger.on' },
  { path: 'Operator.trigger.zzzzzzz', nearest: null },
])('says what was probably meant by $path', ({ path, nearest }) => {
  expect(explain(path)).toMatchObject({ nearest })
})

test('explains every field of every kind by its path', () => {
  const lost: string[] = []
  const visit = (path: string, field: FieldSchema, depth: number) => {
    if (!isExplanation(explain(path))) lost.push(path)
    if (depth < 8) for (const [name, inner] of fieldsOf(field)) visit(`${path}.${name}`, inner.field, depth + 1)
  }
  for (const { kind, schema } of kinds) visit(`${kind}.spec`, schema, 0)
  expect(lost).toEqual([])
})

test('walking a spec finds references, files, expressions and keys that are references', () => {
  const found: string[] = []
  const visit = (pointer: string, value: unknown, schema: FieldSchema, atKey: boolean) => {
    if (schema['x-ref'] && typeof value === 'string')
      found.push(`${atKey ? 'key' : 'ref'} ${pointer} ${schema['x-ref'].kinds.join()}`)
    if (schema['x-file']) found.push(`file ${pointer}`)
    if (schema['x-expression'] && typeof value === 'string')
      found.push(`${schema['x-expression'].form} ${pointer} ${value}`)
  }
  walkFields('ModelPolicy', { perTenant: { city: 'claude' }, fallbacks: ['b'] }, visit)
  walkFields(
    'Operator',
    {
      sense: [{ as: 'o', capability: 'a.b', args: { id: '${event.id}', deep: [{ x: '${event.y}' }], n: 1 } }],
      reason: { model: { alias: 'a', prompt: { file: 'p.md' } } },
      guardrails: [{ id: 'g', match: { when: 'true' }, decision: 'ALERT', alert: { approvers: { role: 'ops' } } }],
    },
    visit,
  )
  expect(found).toEqual([
    'key /spec/perTenant/city Tenant',
    'ref /spec/perTenant/city Model',
    'ref /spec/fallbacks/0 Model',
    'template /spec/sense/0/args/id ${event.id}',
    'template /spec/sense/0/args/deep/0/x ${event.y}',
    'file /spec/reason/model/prompt',
    'cel /spec/guardrails/0/match/when true',
    'ref /spec/guardrails/0/alert/approvers/role Role',
  ])
})
