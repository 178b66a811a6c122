import { expect, test } from 'vitest'
import type { Change } from '../../controller/domain/change.ts'
import type { Address, Digest } from '../../controller/domain/ids.ts'
import { executionOrder, ledgerSlugOf, prerequisites } from '../../controller/domain/sequence.ts'

const digest = `sha256:${'a'.repeat(64)}` as Digest
const put = (address: string, before: string | null = null): Change => ({
  address: address as Address,
  addressBefore: before as Address | null,
  generationBefore: 0,
  digestBefore: null,
  digestAfter: digest,
})
const gone = (address: string): Change => ({ ...put(address), digestBefore: digest, digestAfter: null })

test('a Tenant document is receipted by the platform, everything else by its own domain', () => {
  expect(ledgerSlugOf('acme/Tenant/acme' as Address)).toBe('_platform')
  expect(ledgerSlugOf('acme/Role/clerk' as Address)).toBe('acme')
})

test('the platform comes first with what it puts and last with what it deletes, tenants between them by name', () => {
  const changes = [
    put('b/Role/x'),
    gone('_platform/Model/m'),
    put('a/Role/x'),
    put('_platform/Model/n'),
    gone('b/Role/y'),
    put('b/Tenant/b'),
  ]
  expect(executionOrder(changes).map(({ address }) => address)).toEqual([
    '_platform/Model/n',
    'b/Tenant/b',
    'a/Role/x',
    'b/Role/x',
    'b/Role/y',
    '_platform/Model/m',
  ])
})

test('a change waits for what it will refer to, for its tenant, and a deletion for everybody who lets go', () => {
  const references: { [address: string]: Address[] } = {
    'a/User/new': ['a/Role/new' as Address, 'a/Role/stands' as Address],
  }
  const appliedReferences: { [address: string]: Address[] } = {
    'a/User/moves': ['a/Role/old' as Address],
    'a/User/was': ['a/Role/old' as Address],
    'a/User/gone': ['a/Role/old' as Address],
  }
  const changes = [
    put('a/Tenant/a'),
    put('a/Role/new'),
    put('a/User/new'),
    put('a/User/moves'),
    put('a/User/is', 'a/User/was'),
    gone('a/User/gone'),
    gone('a/Role/old'),
  ]
  const after = prerequisites(
    changes,
    (address) => references[address] ?? [],
    (address) => appliedReferences[address] ?? [],
  )
  expect(after.get('a/User/new' as Address)).toEqual(['a/Role/new', 'a/Tenant/a'])
  expect(after.get('a/Role/old' as Address)).toEqual(['a/User/gone', 'a/User/is', 'a/User/moves'])
  expect(after.get('a/Tenant/a' as Address)).toEqual([])
})

test('a tenant goes after everything in its folder', () => {
  const after = prerequisites(
    [gone('a/Tenant/a'), gone('a/Role/x'), gone('a/User/y')],
    () => [],
    () => [],
  )
  expect(after.get('a/Tenant/a' as Address)).toEqual(['a/Role/x', 'a/User/y'])
})
