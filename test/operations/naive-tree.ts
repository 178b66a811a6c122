import { createHash } from 'node:crypto'

/** RFC 6962 section 2.1 as it is written down: split at the largest power of two below the size, and recurse. */
export function naiveRoot(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return createHash('sha256').digest()
  if (leaves.length === 1) return Buffer.from(leaves[0]!)
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  const [left, right] = [naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split))]
  return createHash('sha256').update(Buffer.of(0x01)).update(left).update(right).digest()
}
