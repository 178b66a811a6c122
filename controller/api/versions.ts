import { FibricError } from '../domain/errors.ts'

/** Revisions of the API, oldest first. `Fibric-Version` pins one; without it the newest answers. */
export const apiVersions = ['2026-11-01'] as const

export function settleVersion(header: string | undefined): string {
  if (header === undefined) return apiVersions.at(-1)!
  if ((apiVersions as readonly string[]).includes(header)) return header
  throw new FibricError('INVALID_PARAMETER', `there is no revision \`${header.slice(0, 40)}\` of the API`, {
    hint: `Fibric-Version is one of: ${apiVersions.join(', ')}`,
  })
}
