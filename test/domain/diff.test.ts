import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { slugOf } from '../../controller/domain/address.ts'
import { verbOf } from '../../controller/domain/change.ts'
import { type AppliedObject, type DiffInput, diffResources } from '../../controller/domain/diff.ts'
import { digestJson } from '../../controller/domain/digest.ts'
import type { Address } from '../../controller/domain/ids.ts'
import type { DesiredResource } from '../../controller/domain/resource.ts'

const at = (name: string): Address => `acme/Parameter/${name}` as Address

function wanted(name: string, value: number, previously: string | null = null): DesiredResource {
  const address = at(name)
  const source = { path: 'a.yaml', line: 1, column: 1, files: {} }
  const rest = {
    labels: {},
    references: [],
    source,
    inheritedFrom: null,
    previously: previously === null ? null : at(previously),
  }
  return { address, slug: slugOf(address), kind: 'Parameter', name, digest: digestJson(value), ...rest }
}

function applied(name: string, value: number, generation = 1, drift: AppliedObject['drift'] = null): AppliedObject {
  const address = at(name)
  return {
    address,
    slug: slugOf(address),
    kind: 'Parameter',
    generation,
    digest: digestJson(value),
    references: [],
    drift,
  }
}

function diff(input: Partial<DiffInput>): string[] {
  const changes = diffResources({ desired: [], applied: [], tombstones: new Map(), heals: () => true, ...input })
  return changes.map((change) => {
    const from = change.addressBefore ? `${change.addressBefore.split('/')[2]}>` : ''
    return `${verbOf(change)} ${from}${change.address.split('/')[2]} @${change.generationBefore}`
  })
}

const table: readonly (readonly [string, Partial<DiffInput>, readonly string[]])[] = [
  ['what is new is created', { desired: [wanted('a', 1)] }, ['create a @0']],
  [
    'what is created where something was goes on counting',
    { desired: [wanted('a', 1)], tombstones: new Map([[at('a'), 4]]) },
    ['create a @4'],
  ],
  ['what is the same is left alone', { desired: [wanted('a', 1)], applied: [applied('a', 1)] }, []],
  ['what differs is updated', { desired: [wanted('a', 2)], applied: [applied('a', 1, 3)] }, ['update a @3']],
  ['what is wanted no more is deleted', { applied: [applied('a', 1, 3)] }, ['delete a @3']],
  ['what drifted is healed', { desired: [wanted('a', 1)], applied: [applied('a', 1, 3, 'content')] }, ['update a @3']],
  [
    'what drifted is left where nothing heals',
    { desired: [wanted('a', 1)], applied: [applied('a', 1, 3, 'pointer')], heals: () => false },
    [],
  ],
  ['a rename is an update', { desired: [wanted('b', 1, 'a')], applied: [applied('a', 1, 3)] }, ['update a>b @3']],
  [
    'a rename counts on from the higher generation',
    { desired: [wanted('b', 1, 'a')], applied: [applied('a', 1, 3)], tombstones: new Map([[at('b'), 9]]) },
    ['update a>b @9'],
  ],
  [
    'a rename is over when the new address stands',
    { desired: [wanted('b', 1, 'a')], applied: [applied('b', 1), applied('a', 1)] },
    ['delete a @1'],
  ],
  [
    'a rename is none while the old address is wanted',
    { desired: [wanted('a', 1), wanted('b', 1, 'a')], applied: [applied('a', 1)] },
    ['create b @0'],
  ],
  [
    'the first claimant of an old name has it',
    { desired: [wanted('b', 1, 'a'), wanted('c', 1, 'a')], applied: [applied('a', 1)] },
    ['update a>b @1', 'create c @0'],
  ],
]

test.each(table)('%s', (_title, input, expected) => {
  expect(diff(input)).toEqual(expected)
})

describe('whatever is wanted and applied', () => {
  const names = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const state = fc.dictionary(names, fc.tuple(fc.nat({ max: 2 }), fc.integer({ min: 1, max: 5 })), {
    noNullPrototype: true,
  })
  const wish = fc.dictionary(names, fc.tuple(fc.nat({ max: 2 }), fc.option(names)), { noNullPrototype: true })

  test('carrying the changes out leaves exactly what is wanted, and a second look finds nothing', () => {
    fc.assert(
      fc.property(state, wish, (before, after) => {
        const objects = new Map(
          Object.entries(before).map(([name, [value, generation]]) => [at(name), applied(name, value, generation)]),
        )
        const desired = Object.entries(after).map(([name, [value, previously]]) =>
          wanted(name, value, previously === name ? null : previously),
        )
        const tombstones = new Map<Address, number>()
        const changes = diffResources({ desired, applied: [...objects.values()], tombstones, heals: () => true })
        for (const change of changes) {
          const generation = change.generationBefore + 1
          for (const address of [change.addressBefore, change.address]) {
            if (address === null) continue
            objects.delete(address)
            tombstones.set(address, generation)
          }
          if (change.digestAfter === null) continue
          const name = change.address.split('/')[2]!
          objects.set(change.address, { ...applied(name, 0, generation), digest: change.digestAfter })
        }
        expect(new Map([...objects].map(([address, { digest }]) => [address, digest]))).toEqual(
          new Map(desired.map(({ address, digest }) => [address, digest])),
        )
        expect(diffResources({ desired, applied: [...objects.values()], tombstones, heals: () => true })).toEqual([])
      }),
    )
  })
})
