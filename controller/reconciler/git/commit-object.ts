import { signedCommit } from '../../domain/ssh-signature.ts'
import type { Commit, CommitPerson } from './repository.ts'

/** Reads a raw commit object. Header values that are no UTF-8 show U+FFFD; a malformed person comes out empty, never invented. */
export function parseCommit(sha: string, raw: Buffer): Commit {
  const end = raw.indexOf('\n\n')
  const header = (end < 0 ? raw : raw.subarray(0, end)).toString('utf8')
  // Continuation lines begin with a space and belong to signatures and merged tags.
  const fields = header.split('\n').filter((line) => !line.startsWith(' '))
  const values = (name: string) =>
    fields.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1))
  const { payload, signature } = signedCommit(raw)
  return {
    sha,
    tree: values('tree')[0] ?? '',
    parents: values('parent'),
    author: parsePerson(values('author')[0] ?? ''),
    committer: parsePerson(values('committer')[0] ?? ''),
    message: end < 0 ? '' : raw.subarray(end + 2).toString('utf8'),
    signature,
    signedPayload: payload,
  }
}

function parsePerson(line: string): CommitPerson {
  const match = /^(.*?) ?<([^<>]*)> (-?\d{1,15})(?: [+-]\d{4})?$/.exec(line)
  if (match === null) return { name: '', email: '', timeMs: 0 }
  return { name: match[1]!, email: match[2]!, timeMs: Number(match[3]) * 1000 }
}
