import { describe, expect, test } from 'vitest'
import { changeClassOf, classifyContent } from '../../controller/domain/authority.ts'
import type { JsonObject } from '../../controller/domain/json.ts'
import type { FieldSchema } from '../../schemas/field-schema.ts'
import { kindInfo } from '../../schemas/registry.ts'

const schema: FieldSchema = {
  type: 'object',
  properties: {
    title: { type: 'string', 'x-authority': 'none' },
    prompt: { type: 'string', 'x-authority': 'none', 'x-behaviour': true },
    admin: { type: 'boolean', 'x-authority': 'grants', default: false },
    confirm: { type: 'boolean', 'x-authority': 'limits', default: true },
    max: { type: 'number', 'x-authority': 'grants' },
    quota: { type: 'number', 'x-authority': 'grants', 'x-absent': 'most' },
    every: { type: 'string', format: 'duration', 'x-authority': 'limits' },
    memory: { type: 'string', format: 'size', 'x-authority': 'grants' },
    rate: { type: 'string', format: 'rate', 'x-authority': 'grants' },
    state: { type: 'string', enum: ['off', 'on'], 'x-order': ['off', 'on'], 'x-authority': 'grants' },
    url: { type: 'string', 'x-authority': 'grants' },
    roles: { type: 'array', uniqueItems: true, items: { type: 'string' }, 'x-authority': 'grants' },
    kinds: { type: 'array', items: { type: 'string', enum: ['*', 'Role', 'User'] }, 'x-authority': 'grants' },
    events: { type: 'array', items: { type: 'string', format: 'glob' }, 'x-authority': 'grants' },
    tenants: { type: 'array', items: { type: 'string' }, 'x-authority': 'grants', 'x-absent': 'most' },
    limits: { type: 'array', items: { type: 'string' }, 'x-authority': 'limits' },
    allow: {
      type: 'array',
      'x-authority': 'grants',
      items: {
        type: 'object',
        'x-authority': 'grants',
        properties: {
          verbs: { type: 'array', items: { type: 'string' }, 'x-authority': 'grants' },
          labels: { type: 'object', additionalProperties: { type: 'string' }, 'x-authority': 'limits' },
        },
      },
    },
    aliases: { type: 'object', additionalProperties: { type: 'string' }, 'x-authority': 'grants' },
    args: { type: 'object', additionalProperties: true, 'x-authority': 'grants' },
    budget: {
      type: 'object',
      'x-authority': 'limits',
      properties: {
        max: { type: 'number', 'x-authority': 'grants' },
        per: { type: 'string', format: 'duration', 'x-authority': 'limits' },
      },
    },
    file: {
      anyOf: [{ type: 'string' }, { type: 'object', properties: { file: { type: 'string' } } }],
      'x-authority': 'none',
      'x-behaviour': true,
    },
  },
}

type Want = 'widens' | 'narrows' | 'neutral' | 'unproven' | 'behaviour'

function classOf(before: JsonObject | null, after: JsonObject | null): Want {
  const { effect, behaviour, reasons } = classifyContent(schema, before, after)
  const widening = reasons.filter((reason) => reason.effect === 'widens')
  if (widening.length > 0 && widening.every((reason) => reason.text.endsWith('(unproven)'))) return 'unproven'
  return changeClassOf(effect, behaviour)
}

describe('a change of content', () => {
  test.each<[string, JsonObject | null, JsonObject | null, Want]>([
    ['nothing', { max: 1 }, { max: 1 }, 'neutral'],
    ['a title', { title: 'a' }, { title: 'b' }, 'neutral'],
    ['a prompt', { prompt: 'a' }, { prompt: 'b' }, 'behaviour'],
    ['a prompt given as a file', { file: 'text' }, { file: { file: 'sha256:b' } }, 'behaviour'],
    ['a prompt, and more authority', { prompt: 'a', max: 1 }, { prompt: 'b', max: 2 }, 'widens'],
    ['a prompt, and less authority', { prompt: 'a', max: 2 }, { prompt: 'b', max: 1 }, 'behaviour'],
    ['a granting flag set', { admin: false }, { admin: true }, 'widens'],
    ['a granting flag written out as it was', {}, { admin: false }, 'neutral'],
    ['a limiting flag cleared', { confirm: true }, { confirm: false }, 'widens'],
    ['a limiting flag set', { confirm: false }, { confirm: true }, 'narrows'],
    ['a larger number', { max: 1 }, { max: 2 }, 'widens'],
    ['a smaller number', { max: 2 }, { max: 1 }, 'narrows'],
    ['a quota where there was no limit', {}, { quota: 5 }, 'narrows'],
    ['a quota that goes', { quota: 5 }, {}, 'widens'],
    ['a longer interval between runs', { every: '90m' }, { every: '2h' }, 'narrows'],
    ['the same duration in other words', { every: '90m' }, { every: '1h30m' }, 'neutral'],
    ['more memory', { memory: '512Mi' }, { memory: '1Gi' }, 'widens'],
    ['a lower rate', { rate: '100/s' }, { rate: '100/m' }, 'narrows'],
    ['a later state', { state: 'off' }, { state: 'on' }, 'widens'],
    ['another address', { url: 'https://a' }, { url: 'https://b' }, 'unproven'],
    ['a role more', { roles: ['a'] }, { roles: ['a', 'b'] }, 'widens'],
    ['a role less', { roles: ['a', 'b'] }, { roles: ['b'] }, 'narrows'],
    ['roles in another order', { roles: ['a', 'b'] }, { roles: ['b', 'a'] }, 'neutral'],
    ['one role for another', { roles: ['a'] }, { roles: ['b'] }, 'unproven'],
    ['every kind instead of one', { kinds: ['Role'] }, { kinds: ['*'] }, 'widens'],
    ['one kind instead of every', { kinds: ['*'] }, { kinds: ['Role', 'User'] }, 'narrows'],
    ['a narrower glob', { events: ['order.**'] }, { events: ['order.created', 'order.*'] }, 'narrows'],
    ['a wider glob', { events: ['order.created'] }, { events: ['order.*'] }, 'widens'],
    ['a list that comes to name some', { tenants: [] }, { tenants: ['a'] }, 'narrows'],
    ['a list that comes to mean all', { tenants: ['a'] }, {}, 'widens'],
    ['a limit that goes', { limits: ['a', 'b'] }, { limits: ['a'] }, 'widens'],
    [
      'a permission more',
      { allow: [{ verbs: ['read'] }] },
      { allow: [{ verbs: ['read'] }, { verbs: ['run'] }] },
      'widens',
    ],
    [
      'a permission less',
      { allow: [{ verbs: ['read'] }, { verbs: ['run'] }] },
      { allow: [{ verbs: ['run'] }] },
      'narrows',
    ],
    ['a verb more', { allow: [{ verbs: ['read'] }] }, { allow: [{ verbs: ['read', 'run'] }] }, 'widens'],
    [
      'a label that limits',
      { allow: [{ verbs: ['read'] }] },
      { allow: [{ verbs: ['read'], labels: { team: 'a' } }] },
      'narrows',
    ],
    [
      'a label that limits goes',
      { allow: [{ verbs: ['read'], labels: { team: 'a' } }] },
      { allow: [{ verbs: ['read'] }] },
      'widens',
    ],
    ['a map entry more', { aliases: { a: 'x' } }, { aliases: { a: 'x', b: 'y' } }, 'widens'],
    ['a map entry less', { aliases: { a: 'x', b: 'y' } }, { aliases: { a: 'x' } }, 'narrows'],
    ['another target of an alias', { aliases: { a: 'x' } }, { aliases: { a: 'y' } }, 'unproven'],
    ['other arguments', { args: { a: 1 } }, { args: { a: 2 } }, 'unproven'],
    ['a budget where there was none', {}, { budget: { max: 5, per: '1d' } }, 'narrows'],
    ['a budget that goes', { budget: { max: 5, per: '1d' } }, {}, 'widens'],
    ['a larger budget', { budget: { max: 5, per: '1d' } }, { budget: { max: 6, per: '1d' } }, 'widens'],
    ['a budget over longer', { budget: { max: 5, per: '1d' } }, { budget: { max: 5, per: '7d' } }, 'narrows'],
    ['both ways at once', { max: 1, confirm: false }, { max: 2, confirm: true }, 'widens'],
    ['a new object that grants', null, { roles: ['a'] }, 'widens'],
    ['a new object that says nothing', null, { title: 'a', roles: [] }, 'neutral'],
    ['a new object with a quota', null, { quota: 5 }, 'widens'],
    ['an object that granted goes', { roles: ['a'] }, null, 'narrows'],
    ['an object that limited goes', { limits: ['a'] }, null, 'widens'],
  ])('%s', (_, before, after, want) => {
    expect(classOf(before, after)).toBe(want)
  })

  test('says where and what', () => {
    expect(classifyContent(schema, { roles: ['a'], max: 2 }, { roles: ['a', 'b'], max: 1 }).reasons).toEqual([
      { pointer: '/max', effect: 'narrows', text: '`2` → `1`' },
      { pointer: '/roles', effect: 'widens', text: 'gains `b`' },
    ])
    expect(
      classifyContent(schema, { allow: [{ verbs: ['read'] }] }, { allow: [{ verbs: ['run', 'read'] }] }).reasons,
    ).toEqual([{ pointer: '/allow/0/verbs', effect: 'widens', text: 'gains `run`' }])
  })

  test('leaves out what is judged elsewhere', () => {
    expect(classifyContent(schema, { max: 1 }, { max: 2 }, ['max']).effect).toBe('neutral')
  })
})

describe('the kinds', () => {
  test.each<[string, string, JsonObject, JsonObject, Want]>([
    ['a Tenant that moves to a reseller', 'Tenant', {}, { reseller: 'northwind' }, 'widens'],
    ['a Tenant that leaves its reseller', 'Tenant', { reseller: 'northwind' }, {}, 'widens'],
    ['a User who gets a role', 'User', { roles: [] }, { roles: ['admin'] }, 'widens'],
    ['a User who loses a key', 'User', { signingKeys: ['k'] }, { signingKeys: [] }, 'narrows'],
    ['an Operator that may do more', 'Operator', { capabilities: ['a.b'] }, { capabilities: ['a.b', 'c.d'] }, 'widens'],
    ['an Operator that is paused', 'Operator', { state: 'active' }, { state: 'paused' }, 'narrows'],
    ['an Operator with another goal', 'Operator', { goal: 'a' }, { goal: 'b' }, 'behaviour'],
    [
      'a Deployment that asks for signatures',
      'Deployment',
      { git: { requireSignatures: false } },
      { git: { requireSignatures: true } },
      'narrows',
    ],
    [
      'a Deployment that stops asking',
      'Deployment',
      { git: { requireSignatures: true } },
      { git: { requireSignatures: false } },
      'widens',
    ],
    [
      'a Role that may do less',
      'Role',
      { allow: [{ verbs: ['read', 'write'], kinds: ['*'] }] },
      { allow: [{ verbs: ['read'], kinds: ['*'] }] },
      'narrows',
    ],
  ])('%s', (_, kind, before, after, want) => {
    const { effect, behaviour } = classifyContent(kindInfo(kind)!.schema, before, after)
    expect(changeClassOf(effect, behaviour)).toBe(want)
  })
})
