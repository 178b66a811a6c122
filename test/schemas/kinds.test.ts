import { describe, expect, test } from 'vitest'
import { checkSchema } from '../../schemas/check.ts'
import { expressionScopes, type FieldSchema } from '../../schemas/field-schema.ts'
import { formats } from '../../schemas/formats.ts'
import { isKind, kindInfo, kinds } from '../../schemas/index.ts'
import { metadata } from '../../schemas/registry.ts'

interface Found {
  readonly path: string
  readonly field: FieldSchema
  /** Named in `properties`, rather than an item, a map's value or a branch. */
  readonly named: boolean
}

function everySchema(path: string, field: FieldSchema, named = false): Found[] {
  const { properties = {}, items, additionalProperties: rest, propertyNames, anyOf = [] } = field
  return [
    { path, field, named },
    ...Object.entries(properties).flatMap(([name, inner]) => everySchema(`${path}.${name}`, inner, true)),
    ...(items === undefined ? [] : everySchema(`${path}[]`, items)),
    ...(typeof rest === 'object' ? everySchema(`${path}.<key>`, rest) : []),
    ...(propertyNames === undefined ? [] : everySchema(`${path}.<name>`, propertyNames)),
    ...anyOf.flatMap((branch, index) => everySchema(`${path}|${index}`, branch)),
  ]
}

const all = [...kinds.flatMap(({ kind, schema }) => everySchema(kind, schema)), ...everySchema('metadata', metadata)]
const failing = (wrong: (found: Found) => boolean) => all.filter(wrong).map(({ path }) => path)

describe('every field of every kind', () => {
  test('says what more of it does to authority', () => {
    expect(
      failing(({ named, field }) => named && !['grants', 'limits', 'none'].includes(field['x-authority'] ?? '')),
    ).toEqual([])
  })

  test('has a description of one line that explain and the reference can show', () => {
    expect(failing(({ named, field }) => named && !/^.{3,160}$/.test(field.description ?? ''))).toEqual([])
  })

  test('orders exactly the values it allows', () => {
    const sorted = (values: readonly unknown[]) => JSON.stringify([...values].sort())
    expect(
      failing(({ field }) => field['x-order'] !== undefined && sorted(field['x-order']) !== sorted(field.enum ?? [])),
    ).toEqual([])
  })

  test('has alternatives of different types, so that a value picks one', () => {
    const overlapping = (field: FieldSchema) => {
      const types = (field.anyOf ?? []).flatMap((branch) => branch.type ?? ['missing', 'missing'])
      return new Set(types).size < types.length
    }
    expect(failing(({ field }) => overlapping(field))).toEqual([])
  })

  test('names formats, kinds and scopes that exist', () => {
    expect(failing(({ field }) => field.format !== undefined && !Object.hasOwn(formats, field.format))).toEqual([])
    expect(
      failing(({ field }) => field['x-ref']?.kinds.every(isKind) === false || field['x-ref']?.kinds.length === 0),
    ).toEqual([])
    const scope = (field: FieldSchema) => field['x-expression']?.scope
    expect(failing(({ field }) => scope(field) !== undefined && !expressionScopes.includes(scope(field)!))).toEqual([])
  })

  test('is closed when it has fields, and says so when it is open', () => {
    const isMap = ({ field }: Found) => field.type === 'object'
    expect(failing((found) => isMap(found) && found.field.additionalProperties === undefined)).toEqual([])
    expect(
      failing(
        (found) => isMap(found) && found.field.properties !== undefined && found.field.additionalProperties !== false,
      ),
    ).toEqual([])
  })

  test('has a default that it would accept', () => {
    expect(
      failing(({ field }) => field.default !== undefined && checkSchema(field, field.default, '').length > 0),
    ).toEqual([])
  })
})

test('there is a schema for every kind of the contract, each in its scope', () => {
  const scopes = Object.fromEntries(kinds.map(({ kind, scope }) => [kind, scope]))
  expect(scopes).toEqual({
    Announcement: 'B',
    ApiKey: 'B',
    Asset: 'B',
    Connection: 'T',
    Connector: 'B',
    Deployment: 'P',
    Gateway: 'T',
    Grant: 'P',
    Menu: 'B',
    Model: 'P',
    ModelPolicy: 'B',
    Operator: 'T',
    Parameter: 'B',
    Reseller: 'P',
    Role: 'B',
    Schedule: 'T',
    ServiceTier: 'P',
    Skill: 'B',
    Table: 'T',
    Template: 'P',
    TemplateInstall: 'T',
    Tenant: 'T',
    TrustPolicy: 'B',
    User: 'B',
    Webhook: 'T',
    Workspace: 'T',
  })
})

test.each([
  ['versioned', ['Connector', 'Template']],
  ['shared', ['Connector', 'Model', 'ServiceTier', 'Template', 'TrustPolicy']],
  ['inherited', ['Asset', 'ModelPolicy', 'Operator', 'Parameter', 'Role', 'Schedule', 'Skill', 'Table', 'TrustPolicy']],
] as const)('the kinds that are %s are those of the contract', (mark, expected) => {
  expect(kinds.filter((info) => info[mark]).map(({ kind }) => kind)).toEqual(expected)
})

test('kinds whose runtime exists say so, and every other kind is stored only', () => {
  const effective = kinds.filter(({ runtime }) => runtime === 'effective').map(({ kind }) => kind)
  expect(effective).toEqual([
    ...[
      'Connection',
      'Connector',
      'Deployment',
      'Gateway',
      'Model',
      'ModelPolicy',
      'Operator',
      'Reseller',
      'Role',
      'Schedule',
      'ServiceTier',
      'Tenant',
      'TrustPolicy',
      'User',
    ],
  ])
})

test('plurals are lower case and differ', () => {
  const plurals = kinds.map(({ plural }) => plural)
  expect(new Set(plurals).size).toBe(kinds.length)
  expect(plurals.filter((plural) => !/^[a-z]+$/.test(plural))).toEqual([])
  expect(kindInfo('Nothing')).toBeNull()
})
