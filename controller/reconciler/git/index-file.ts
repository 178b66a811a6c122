import { FibricError } from '../../domain/errors.ts'
import { unmerged } from './failures.ts'
import type { TrackedFile } from './git-objects.ts'

/** Reads git's index, versions 2 to 4. Source: Documentation/gitformat-index.txt. */
export function parseIndex(bytes: Buffer): TrackedFile[] {
  if (bytes.length < 12 || bytes.toString('latin1', 0, 4) !== 'DIRC') throw unreadable('it has no index header')
  const version = bytes.readUInt32BE(4)
  if (version < 2 || version > 4) throw unreadable(`it has version ${version}`)
  const files: TrackedFile[] = []
  let at = 12
  let previous: Buffer = Buffer.alloc(0)
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    if (at + 62 > bytes.length) throw unreadable('it is cut short')
    const mode = bytes
      .readUInt32BE(at + 24)
      .toString(8)
      .padStart(6, '0')
    const oid = bytes.toString('hex', at + 40, at + 60)
    const flags = bytes.readUInt16BE(at + 60)
    const extended = (flags & 0x4000) === 0 ? 0 : bytes.readUInt16BE(at + 62)
    const start = at + 62 + ((flags & 0x4000) === 0 ? 0 : 2)
    const name = version === 4 ? prefixedName(bytes, start, previous) : plainName(bytes, start)
    // Entries before version 4 are padded with NULs to a multiple of eight, one at least.
    at = version === 4 ? name.end : at + Math.floor((name.end - 1 - at + 8) / 8) * 8
    previous = name.path
    const path = name.path.toString('utf8')
    if ((flags & 0x3000) !== 0) throw unmerged(path)
    if (mode === '040000') throw unreadable('it is a sparse index, which leaves files out')
    const assumeUnchanged = (flags & 0x8000) !== 0
    const skipWorktree = (extended & 0x4000) !== 0
    files.push({ path, mode, oid, asInIndex: assumeUnchanged || skipWorktree })
  }
  return files
}

interface Name {
  readonly path: Buffer
  /** Just after the NUL that ends it. */
  readonly end: number
}

function plainName(bytes: Buffer, start: number): Name {
  const end = nul(bytes, start)
  return { path: bytes.subarray(start, end), end: end + 1 }
}

/** Version 4 says how many bytes of the previous name to drop, in the variable length of pack offsets. */
function prefixedName(bytes: Buffer, start: number, previous: Buffer): Name {
  let at = start
  let byte = bytes[at++] ?? 0
  let drop = byte & 0x7f
  while ((byte & 0x80) !== 0) {
    byte = bytes[at++] ?? 0
    drop = ((drop + 1) << 7) | (byte & 0x7f)
  }
  const end = nul(bytes, at)
  if (drop > previous.length) throw unreadable('a name is longer than it can be')
  return { path: Buffer.concat([previous.subarray(0, previous.length - drop), bytes.subarray(at, end)]), end: end + 1 }
}

function nul(bytes: Buffer, start: number): number {
  const end = bytes.indexOf(0, start)
  if (end < 0) throw unreadable('it is cut short')
  return end
}

function unreadable(why: string): FibricError {
  return new FibricError('GIT', `the index of the repository cannot be read without a \`git\` binary: ${why}`, {
    hint: 'install git',
  })
}
