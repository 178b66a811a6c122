import fc from 'fast-check'
import { expect, test } from 'vitest'
import { engineVersion } from '../../controller/domain/engine.ts'
import type { Address, Digest } from '../../controller/domain/ids.ts'
import { countChanges, isOwnEngine, type PlanCore, planId, staleObjects } from '../../controller/domain/plan.ts'

const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}` as Digest
const at = (name: string): Address => `acme/Parameter/${name}` as Address
const change = {
  address: at('a'),
  addressBefore: null,
  generationBefore: 1,
  digestBefore: digest('1'),
  digestAfter: digest('2'),
}
const read = { address: at('a'), generation: 1, digest: digest('1') }
const core: PlanCore = {
  deployment: 'dep_1',
  engine: engineVersion,
  changes: [change],
  readSet: [read],
  rules: { acme: digest('3') },
}

test('the id of a plan moves with every part of its core, the order of its changes included', () => {
  const other = { ...change, address: at('b') }
  const cores: PlanCore[] = [
    core,
    { ...core, deployment: 'dep_2' },
    { ...core, engine: 'fibric/0.0.1' },
    { ...core, changes: [] },
    { ...core, changes: [change, other] },
    { ...core, changes: [other, change] },
    { ...core, readSet: [{ ...read, generation: 2 }] },
    { ...core, readSet: [{ ...read, digest: null }] },
    { ...core, rules: { acme: digest('4') } },
    { ...core, rules: {} },
  ]
  expect(new Set(cores.map(planId)).size).toBe(cores.length)
})

test('what stands beside the core is no part of the id', () => {
  const beside = {
    ...core,
    createdAt: 'now',
    source: { commit: 'abc' },
    warnings: ['x'],
    changes: [{ ...change, verdict: {}, authors: ['eve'], source: { path: 'x', line: 9 } }],
  }
  expect(planId(beside as unknown as PlanCore)).toBe(planId(core))
})

test('an object is stale exactly when its generation or its digest is another than the plan saw', () => {
  const state = fc.record({ generation: fc.nat({ max: 2 }), digest: fc.constantFrom(null, digest('1'), digest('2')) })
  fc.assert(
    fc.property(fc.array(fc.tuple(state, state), { maxLength: 8 }), (pairs) => {
      const readSet = pairs.map(([planned], index) => ({ address: at(`o${index}`), ...planned }))
      const now = new Map(
        pairs.map(([, current], index) => [at(`o${index}`), { address: at(`o${index}`), ...current }]),
      )
      const stale = new Set(staleObjects(readSet, (address) => now.get(address)!).map(({ address }) => address))
      for (const [index, [planned, current]] of pairs.entries()) {
        const moved = planned.generation !== current.generation || planned.digest !== current.digest
        expect(stale.has(at(`o${index}`))).toBe(moved)
      }
    }),
  )
})

test('changes are counted by what they do', () => {
  const changes = [
    change,
    { ...change, digestBefore: null },
    { ...change, digestAfter: null },
    { ...change, addressBefore: at('b') },
  ]
  expect(countChanges(changes)).toEqual({ create: 1, update: 2, delete: 1 })
  expect(isOwnEngine(core)).toBe(true)
  expect(isOwnEngine({ ...core, engine: 'fibric/9' })).toBe(false)
})
