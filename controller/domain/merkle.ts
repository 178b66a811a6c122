import { createHash } from 'node:crypto'

/**
 * The Merkle tree of RFC 6962 section 2.1 in the form an append-only log needs: a compact range.
 *
 * `frontier` holds the roots of the complete subtrees that make up the tree, largest first: one hash for each 1-bit of
 * `size`. Appending and computing the root need nothing else, so a tree head is `O(log size)` bytes.
 */
export interface TreeHead {
  readonly size: number
  readonly frontier: readonly Buffer[]
}

export const emptyTree: TreeHead = { size: 0, frontier: [] }

export function leafHash(bytes: Uint8Array): Buffer {
  return sha256(Buffer.of(0x00), bytes)
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return sha256(Buffer.of(0x01), left, right)
}

/** The head after appending leaf hashes in order. */
export function append(head: TreeHead, leaves: readonly Uint8Array[]): TreeHead {
  const frontier = [...head.frontier]
  let size = head.size
  for (const leaf of leaves) {
    let node: Buffer = Buffer.from(leaf)
    // Every trailing 1-bit of the size is a complete subtree as large as the node that now stands beside it.
    for (let bits = size; bits % 2 === 1; bits = Math.floor(bits / 2)) node = nodeHash(frontier.pop()!, node)
    frontier.push(node)
    size++
  }
  return { size, frontier }
}

/** RFC 6962 MTH: the SHA-256 of nothing for the empty tree. */
export function rootHash(head: TreeHead): Buffer {
  const [smallest, ...larger] = head.frontier.toReversed()
  if (!smallest) return sha256()
  return larger.reduce((right, left) => nodeHash(left, right), smallest)
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
