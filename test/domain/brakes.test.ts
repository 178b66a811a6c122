import { expect, test } from 'vitest'
import { slugOf } from '../../controller/domain/address.ts'
import { type DeletionFacts, judgeDeletions } from '../../controller/domain/brakes.ts'
import type { Address } from '../../controller/domain/ids.ts'

const at = (slug: string, kind: string, count: number, from = 0): Address[] =>
  Array.from({ length: count }, (_, index) => `${slug}/${kind}/o${from + index}` as Address)

function judge(
  applied: readonly Address[],
  deleted: readonly Address[],
  more: Partial<DeletionFacts> = {},
  percent = 25,
  min = 8,
): string[] {
  const objects = applied.map((address) => ({
    address,
    slug: slugOf(address),
    kind: address.split('/')[1]!,
    protected: false,
  }))
  const changes = deleted.map((address) => ({
    address,
    addressBefore: null,
    generationBefore: 1,
    digestBefore: 'sha256:' as never,
    digestAfter: null,
  }))
  const facts = {
    applied: objects,
    changes,
    recentlyDeleted: [],
    desiredCount: applied.length - deleted.length,
    ...more,
  }
  return judgeDeletions(facts, { maxDeletePercent: percent, minObjects: min }).map(
    ({ code, slug }) => `${code} ${slug ?? '-'}`,
  )
}

const mixed = [...at('a', 'X', 5), ...at('a', 'Y', 5)]
const table: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['nothing is deleted', judge(mixed, []), []],
  ['a quarter exactly', judge(at('a', 'X', 8), at('a', 'X', 2)), []],
  ['more than a quarter', judge(at('a', 'X', 8), at('a', 'X', 3)), ['MASS_DELETE a', 'MASS_DELETE -']],
  ['more than a quarter of few', judge(at('a', 'X', 7), at('a', 'X', 6)), []],
  [
    'a quarter of a domain, spread over kinds',
    judge(mixed, [...at('a', 'X', 2), ...at('a', 'Y', 1)]),
    ['MASS_DELETE a'],
  ],
  [
    'a quarter of a kind, spread over domains',
    judge(
      [...at('a', 'X', 4), ...at('a', 'Y', 8), ...at('b', 'X', 4), ...at('b', 'Y', 8)],
      [...at('a', 'X', 2), ...at('b', 'X', 2)],
    ),
    ['MASS_DELETE -'],
  ],
  [
    'a few now and a few within the hour',
    judge(at('a', 'X', 9, 1), at('a', 'X', 2, 1), { recentlyDeleted: at('a', 'X', 1) }),
    ['MASS_DELETE a', 'MASS_DELETE -'],
  ],
  [
    'only what was within the hour',
    judge([...at('a', 'X', 6, 4), ...at('b', 'Y', 8)], at('b', 'Y', 1), { recentlyDeleted: at('a', 'X', 4) }),
    [],
  ],
  [
    'what was deleted and is there again',
    judge(at('a', 'X', 9), at('a', 'X', 2), { recentlyDeleted: at('a', 'X', 3, 5) }),
    [],
  ],
  ['everything', judge(at('a', 'X', 2), at('a', 'X', 2)), ['EMPTY_DESIRED -']],
  ['all of it with no limit', judge(at('a', 'X', 9), at('a', 'X', 8), {}, 100), []],
]
test.each(table)('%s', (_title, found, expected) => {
  expect(found).toEqual(expected)
})

test('protection is the one brake that no count confirms', () => {
  const [address] = at('a', 'Tenant', 1)
  const applied = [{ address: address!, slug: slugOf(address!), kind: 'Tenant', protected: true }]
  const changes = [
    {
      address: address!,
      addressBefore: null,
      generationBefore: 1,
      digestBefore: 'sha256:' as never,
      digestAfter: null,
    },
  ]
  const found = judgeDeletions(
    { applied, changes, recentlyDeleted: [], desiredCount: 0 },
    { maxDeletePercent: 100, minObjects: 8 },
  )
  expect(found.map(({ code, confirmable }) => [code, confirmable])).toEqual([
    ['PROTECTED', false],
    ['EMPTY_DESIRED', true],
  ])
})
