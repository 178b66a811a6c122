import { FibricError } from '../domain/errors.ts'

export const defaultField = 'value'
export const valueBytesMax = 65_536
export const valueCharactersMin = 8

/** Fields that say who, not what only they know: they may be short, and are not blanked out of what a provider says. */
const identityFields: ReadonlySet<string> = new Set(['username', 'client_id', 'role_arn'])

export function isIdentityField(field: string): boolean {
  return identityFields.has(field)
}

/** `NAME` or `NAME.FIELD`. */
export function parseSecretName(text: string): { readonly name: string; readonly field: string | null } {
  const match = /^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.([a-z][a-z0-9_]{0,62}))?$/.exec(text)
  if (match) return { name: match[1]!, field: match[2] ?? null }
  throw new FibricError('USAGE', `\`${text.slice(0, 80)}\` is no name of a secret`, {
    hint: 'write it as NAME or NAME.FIELD: magento-main.client_secret',
  })
}

/** Refuses a value that could not be kept out of what a provider says: a short one would blank half of it. */
export function checkSecretValue(place: { readonly name: string; readonly field: string }, value: Buffer): void {
  const what = `the value of \`${place.name}.${place.field}\``
  if (value.length > valueBytesMax) {
    throw new FibricError('USAGE', `${what} is ${value.length} bytes, over ${valueBytesMax}`)
  }
  if (value.length === 0) throw new FibricError('USAGE', `${what} is empty`)
  if (isIdentityField(place.field)) return
  const characters = [...value.toString('utf8')].length
  if (characters < valueCharactersMin) {
    throw new FibricError('USAGE', `${what} is under ${valueCharactersMin} characters`, {
      hint: 'values that short cannot be kept out of outputs: use a longer one',
    })
  }
}
