import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Change, verbOf } from '../../controller/domain/change.ts'
import type { Address, Digest } from '../../controller/domain/ids.ts'
import { compareText, orderChanges } from '../../controller/domain/order.ts'

const digest = `sha256:${'a'.repeat(64)}` as Digest
const addressOf = (index: number): Address => `acme/Parameter/p${String(index).padStart(3, '0')}` as Address

/** Objects that refer only to earlier ones, so there is no cycle, each created or deleted. */
const graph = fc
  .array(fc.record({ deleted: fc.boolean(), references: fc.array(fc.nat({ max: 60 })) }), { maxLength: 60 })
  .map((objects) =>
    objects.map(({ deleted, references }, index) => ({
      change: changeOf(addressOf(index), deleted),
      references: [...new Set(references.filter((each) => each < index).map(addressOf))],
    })),
  )

test('nothing is created before what it refers to, nothing deleted while something still refers to it, deletions last', () => {
  fc.assert(
    fc.property(graph, (objects) => {
      const ordered = order(objects)
      const place = new Map(ordered.map((change, index) => [change.address, index]))
      const verbs = new Map(objects.map(({ change }) => [change.address, verbOf(change)]))
      for (const { change, references } of objects) {
        for (const reference of references) {
          if (verbs.get(change.address) !== verbs.get(reference)) continue
          const [first, second] =
            verbOf(change) === 'delete' ? [change.address, reference] : [reference, change.address]
          expect(place.get(first)!).toBeLessThan(place.get(second)!)
        }
      }
      const firstDeletion = ordered.findIndex((change) => verbOf(change) === 'delete')
      if (firstDeletion >= 0)
        expect(ordered.slice(firstDeletion).every((change) => verbOf(change) === 'delete')).toBe(true)
    }),
  )
})

test('the order holds every change once, whatever order they came in', () => {
  fc.assert(
    fc.property(
      graph.chain((objects) =>
        fc.tuple(fc.constant(objects), fc.shuffledSubarray(objects, { minLength: objects.length })),
      ),
      ([objects, shuffled]) => {
        expect(order(shuffled)).toEqual(order(objects))
        expect(new Set(order(objects))).toEqual(new Set(objects.map(({ change }) => change)))
        expect(order(objects)).toHaveLength(objects.length)
      },
    ),
  )
})

test('a chain of a hundred thousand references is no deeper than any other', () => {
  const count = 100_000
  const changes = Array.from({ length: count }, (_, index) => changeOf(`acme/Parameter/p${index}` as Address, false))
  const next = new Map(changes.map((change, index) => [change.address, changes[index + 1]?.address]))
  const ordered = orderChanges(changes, (change) => (next.get(change.address) ? [next.get(change.address)!] : []))
  expect(ordered[0]!.address).toBe(`acme/Parameter/p${count - 1}`)
})

test('a cycle, which validation refuses, neither hangs nor loses a change', () => {
  const [a, b] = [changeOf(addressOf(1), false), changeOf(addressOf(2), false)]
  expect(orderChanges([a, b], (change) => [change === a ? b.address : a.address])).toHaveLength(2)
})

test.each([
  ['a', 'b', -1],
  ['b', 'a', 1],
  ['a', 'a', 0],
  ['Z', 'a', -1],
  ['a-b', 'a', 1],
  ['é', 'z', 1],
])('%s and %s compare by code units', (a, b, sign) => {
  expect(Math.sign(compareText(a, b))).toBe(sign)
})

function order(objects: readonly { change: Change; references: readonly Address[] }[]): Change[] {
  const references = new Map(objects.map((object) => [object.change.address, object.references]))
  return orderChanges(
    objects.map(({ change }) => change),
    (change) => references.get(change.address)!,
  )
}

function changeOf(address: Address, deleted: boolean): Change {
  const standing = { address, addressBefore: null, generationBefore: deleted ? 1 : 0 }
  return { ...standing, digestBefore: deleted ? digest : null, digestAfter: deleted ? null : digest }
}
