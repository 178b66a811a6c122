import { expect, test } from 'vitest'
import type { Address } from '../../controller/domain/ids.ts'
import { inScope, isWhole, type Scope, wholeScope, withDependencies } from '../../controller/domain/scope.ts'

const object = { address: 'acme/Role/clerk' as Address, labels: { team: 'ops', area: 'shop' } }

const table: readonly (readonly [string, Partial<Scope>, boolean])[] = [
  ['nothing narrows it', {}, true],
  ['its tenant', { slug: 'acme' as never }, true],
  ['another tenant', { slug: 'beta' as never }, false],
  ['one of its labels', { labels: { team: 'ops' } }, true],
  ['all of its labels', { labels: { team: 'ops', area: 'shop' } }, true],
  ['a label with another value', { labels: { team: 'web' } }, false],
  ['a label it lacks', { labels: { team: 'ops', tier: 'one' } }, false],
  ['its tenant, broken', { broken: ['acme' as never] }, false],
  ['another tenant, broken', { broken: ['beta' as never] }, true],
]
test.each(table)('%s: %o', (_title, part, expected) => {
  expect(inScope({ ...wholeScope, ...part }, null, object)).toBe(expected)
})

test('targets bring what they refer to, through any number of steps and round any circle', () => {
  const references: { [address: string]: string[] } = { 'a/K/1': ['a/K/2'], 'a/K/2': ['a/K/3', 'a/K/1'], 'a/K/4': [] }
  const closure = withDependencies(['a/K/1' as Address], (address) => (references[address] ?? []) as Address[])
  expect([...closure!].sort()).toEqual(['a/K/1', 'a/K/2', 'a/K/3'])
  expect(withDependencies([], () => [])).toBeNull()
})

test('a scope is whole when nothing of it narrows', () => {
  expect(isWhole(wholeScope)).toBe(true)
  expect(isWhole({ ...wholeScope, labels: { a: 'b' } })).toBe(false)
  expect(isWhole({ ...wholeScope, targets: ['a/K/1' as Address] })).toBe(false)
})
