import { expect, test } from 'vitest'
import { builtinRules } from '../../controller/domain/builtin-rules.ts'
import { type Address, platformSlug, platformTenantId } from '../../controller/domain/ids.ts'
import type { Json, JsonObject } from '../../controller/domain/json.ts'
import { judgeLockOut, type Standing } from '../../controller/domain/lock-out.ts'
import { People } from '../../controller/domain/people.ts'
import { Pools } from '../../controller/domain/pools.ts'

/** A platform with these rules, and these people with their roles. */
function standing(rules: readonly JsonObject[], people: { readonly [name: string]: string } = {}): Standing {
  const document = (kind: string, name: string, spec: JsonObject) => ({
    address: `_platform/${kind}/${name}` as Address,
    owner: platformTenantId,
    commit: null,
    digest: 'sha256:' as never,
    content: { kind, metadata: { name }, spec },
  })
  const pools = new Pools({ builtin: builtinRules, replacement: null })
  pools.load(
    platformSlug,
    platformTenantId,
    rules.length === 0 ? [] : [document('TrustPolicy', 'config', { rules: rules as Json })],
  )
  const users = Object.entries(people).map(([name, roles]) =>
    document('User', name, {
      roles: roles.split(' ').filter((role) => role !== 'root'),
      superAdmin: roles.includes('root'),
    }),
  )
  return { pools, people: new People(users) }
}

const allow = { id: 'all', match: { capability: 'config.**' }, decision: 'ALLOW' }
const block = { id: 'never', match: { capability: 'config.trustpolicy.*' }, decision: 'BLOCK' }
const hold = (quorum: number): JsonObject => ({
  id: 'ask',
  match: { capability: 'config.**' },
  decision: 'ALERT',
  alert: { mode: 'hold', approvers: { role: 'admin', quorum } },
})
const notify = {
  id: 'tell',
  match: { capability: 'config.**' },
  decision: 'ALERT',
  alert: { mode: 'notify', approvers: { role: 'admin', quorum: 9 } },
}
const expired = { ...allow, expiresAt: '2026-01-01T00:00:00Z' }
const shadowed = { ...allow, match: { capability: 'config.menu.*' } }

const open = standing([allow])
const table: readonly (readonly [string, Standing | null, Standing, readonly string[]])[] = [
  ['a rule allows it', null, standing([allow]), []],
  ['nothing does, at genesis', null, standing([]), ['LOCKED_OUT']],
  ['nothing does any more', open, standing([]), ['LOCKED_OUT']],
  ['nothing did before', standing([]), standing([]), []],
  ['a rule forbids it', open, standing([allow, block]), ['LOCKED_OUT']],
  ['the only grant has ended', open, standing([expired]), ['LOCKED_OUT']],
  ['the only grant is for something else', open, standing([shadowed]), ['LOCKED_OUT']],
  ['as many hold the role as it asks for', open, standing([hold(2)], { a: 'admin', b: 'admin' }), []],
  ['fewer hold the role than it asks for', open, standing([hold(2)], { a: 'admin', b: 'clerk' }), ['LOCKED_OUT']],
  ['it only tells', open, standing([notify]), []],
  [
    'the last but one approver goes',
    standing([hold(2)], { a: 'admin', b: 'admin' }),
    standing([hold(2)], { a: 'admin' }),
    ['LOCKED_OUT', 'LAST_APPROVER'],
  ],
  [
    'an approver takes the place of another',
    standing([hold(1)], { a: 'admin' }),
    standing([hold(1)], { b: 'admin' }),
    [],
  ],
  ['the last super administrator goes', standing([allow], { a: 'root' }), standing([allow], { a: '' }), ['LAST_ADMIN']],
  ['a super administrator hands over', standing([allow], { a: 'root' }), standing([allow], { b: 'root' }), []],
]
test.each(table)('%s', (_title, before, after, codes) => {
  expect(judgeLockOut(before, after, Date.parse('2026-03-02T09:00:00Z')).map(({ code }) => code)).toEqual(codes)
})
