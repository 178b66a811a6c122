import { durationMs } from '../../schemas/index.ts'
import { FibricError } from '../domain/errors.ts'
import { type Address, platformSlug, type Slug } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Engine } from '../engine.ts'
import { visibleDomains } from '../operations/domains.ts'
import { domainAtDoor } from '../operations/events.ts'
import type { Call, Schema } from './route.ts'

/** Which tenant is meant, where the credential sees several. */
export const tenantQuery: { readonly tenant: Schema } = {
  tenant: { type: 'string', minLength: 1, maxLength: 63, description: 'slug of one tenant' },
}

/** Why somebody does something: it goes into the ledger. */
export const reasonText: Schema = { type: 'string', minLength: 1, maxLength: 1000, description: 'why, for the ledger' }

/** A body of these fields and no others. */
export function bodyOf(properties: { readonly [name: string]: Schema }, required: readonly string[]): Schema {
  return { type: 'object', additionalProperties: false, required, properties }
}

/** A query parameter as text; null where it was not given. */
export function queried(call: Call, name: string): string | null {
  const value = call.query[name]
  return value === undefined ? null : String(value)
}

/** A member of the body as text; null where it was not given. */
export function said(body: JsonObject, name: string): string | null {
  const value = body[name]
  return typeof value === 'string' ? value : null
}

/** The tenant a key is confined to; null: it may see all. */
export async function ownSlug(engine: Engine): Promise<Slug | null> {
  if (engine.actor.tenantId === null) return null
  const [domain] = await visibleDomains(engine, null)
  if (domain) return domain.slug
  throw new FibricError('NOT_FOUND', 'the tenant of this key is gone')
}

/** The domain a request means: the one it names, else the credential's own, else the governance domain. */
export async function domainMeant(call: Call): Promise<Slug> {
  return (queried(call, 'tenant') as Slug | null) ?? (await ownSlug(call.engine)) ?? platformSlug
}

/** The same where the governance domain would be a guess: the one tenant in sight, and with several one has to be named. */
export async function domainNeeded(call: Call): Promise<Slug> {
  const named = queried(call, 'tenant') as Slug | null
  return named ?? (await domainAtDoor(call.engine, null, call.hostTenantId)).slug
}

/** A list that is short enough to be whole. */
export function wholeList(data: readonly unknown[]) {
  return { object: 'list', data, has_more: false, next_cursor: null }
}

/** The address that a path names. */
export function addressOf({ params }: Call): Address {
  return `${params.tenant}/${params.kind}/${params.name}` as Address
}

const yearMs = 366 * 24 * 60 * 60 * 1000

export function durationOf(value: unknown): number {
  const milliseconds = durationMs(String(value))
  if (milliseconds !== null && milliseconds > 0 && milliseconds <= yearMs) return milliseconds
  throw new FibricError('VALIDATION_FAILED', 'the duration is not one of up to a year', {
    hint: 'write it like 30s, 15m, 72h or 14d',
  })
}

/** A parameter as text; null where it was not given. */
export function textOf(value: string | number | boolean | undefined): string | null {
  return value === undefined ? null : String(value)
}
