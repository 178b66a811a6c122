import fc from 'fast-check'
import { expect, test } from 'vitest'
import { append, emptyTree, leafHash, nodeHash, rootHash } from '../../controller/domain/merkle.ts'
import { naiveRoot } from '../operations/naive-tree.ts'

/** The inputs and the roots of the certificate-transparency project's own test. */
const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const leaves = inputs.map((input) => leafHash(Buffer.from(input, 'hex')))

test.each(roots.map((root, size) => [size, root] as const))('the published root of %i leaves', (size, root) => {
  expect(rootHash(append(emptyTree, leaves.slice(0, size))).toString('hex')).toBe(root)
  expect(naiveRoot(leaves.slice(0, size)).toString('hex')).toBe(root)
})

test('a leaf is never taken for a node: their hashes begin differently', () => {
  const [left, right] = [leaves[0]!, leaves[1]!]
  expect(leafHash(Buffer.concat([left, right]))).not.toEqual(nodeHash(left, right))
})

const leafList = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 70 })

test('however the leaves arrive, the root is that of the definition, and the frontier is as long as the size has bits', () => {
  fc.assert(
    fc.property(leafList, fc.array(fc.nat({ max: 9 })), (all, steps) => {
      let head = emptyTree
      let done = 0
      for (const step of [...steps, all.length]) {
        const next = all.slice(done, done + step)
        head = append(head, next)
        done += next.length
      }
      expect(rootHash(head)).toEqual(naiveRoot(all))
      expect(head.size).toBe(all.length)
      expect(head.frontier).toHaveLength(all.length.toString(2).replaceAll('0', '').length)
    }),
  )
})

test('appending leaves the head it began with as it was', () => {
  const head = append(emptyTree, leaves.slice(0, 3))
  const before = rootHash(head)
  append(head, leaves.slice(3))
  expect(rootHash(head)).toEqual(before)
})
