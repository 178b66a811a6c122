import { FibricError } from '../../domain/errors.ts'

/** Failures both implementations meet, worded once. */

/** More commits than this since a file was last applied are not walked: somebody should look first. */
export const commitsMax = 200_000

export function historyTooLong(): FibricError {
  return new FibricError('GIT', `more than ${commitsMax} commits since the files were last applied`, {
    hint: 'apply a commit in between first, with `--ref`',
  })
}

export function ambiguous(rev: string): FibricError {
  return new FibricError('GIT', `\`${rev}\` is the beginning of more than one object's sha`, {
    hint: 'write more digits',
  })
}

export function missingObject(oid: string, type: string, cause?: unknown): FibricError {
  return new FibricError('GIT', `${type} \`${oid}\` is missing from the repository`, {
    hint: 'a partial clone lacks it: `git fetch --refetch --no-filter`; otherwise `git fsck` says what is damaged',
    cause,
  })
}

export function unmerged(path: string): FibricError {
  return new FibricError('GIT', `\`${path}\` has an unresolved merge conflict`, {
    hint: 'resolve it, then `git add` it',
  })
}
