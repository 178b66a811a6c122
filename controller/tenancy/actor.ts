import { hash } from 'node:crypto'
import { FibricError } from '../domain/errors.ts'
import type { Principal } from '../domain/identity.ts'
import { type Address, platformTenantId, type TenantId } from '../domain/ids.ts'
import type { Database } from '../store/connect.ts'
import { type ApiKeyRow, findKey } from '../store/keys.ts'
import { readLastReceipts } from '../store/objects.ts'
import { keyRoles, type Scope } from './key-scopes.ts'

/** Who is at the door, and what they may do there. Two keys of one User are one person. */
export interface Actor {
  readonly principal: Principal
  /** Separation of duties compares this: `local:<login>`, the address of a User, or `key:<id>` of a machine. */
  readonly person: string
  readonly user: Address | null
  /** Whoever can open the database is its administrator, and holds every role there. */
  readonly local: boolean
  readonly keyId: string | null
  /** The local identity, and the deployment's own admin key that it made: whoever may speak for other people. */
  readonly administers: boolean
  /** The domain the actor is confined to; null sees all. */
  readonly tenantId: TenantId | null
  readonly scopes: readonly string[]
}

export function localActor(login: string): Actor {
  const person = `local:${login}`
  return {
    principal: { kind: 'person', name: person },
    person,
    user: null,
    local: true,
    keyId: null,
    administers: true,
    tenantId: null,
    scopes: keyRoles.admin,
  }
}

/** The loop of a controller, acting on its own behalf. */
export const reconcilerActor: Actor = {
  principal: { kind: 'reconciler', name: 'reconciler' },
  person: 'reconciler',
  user: null,
  local: false,
  keyId: null,
  administers: false,
  tenantId: null,
  scopes: keyRoles.admin,
}

const keyShape = /^sk_(?:live|test)_([0-9a-z]+)_[0-9A-Za-z]{43}$/

/** The domain whose key a secret claims to be, from its shape alone; null when it is no key of ours. */
export function tenantOfSecret(secret: string): TenantId | null {
  const match = keyShape.exec(secret)
  return match ? (`t_${match[1]}` as TenantId) : null
}

export function hashSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer')
}

/** The actor an API key speaks for. A key that is unknown, revoked or expired is refused alike in form, not in code. */
export async function authenticate(database: Database, secret: string, now: Date): Promise<Actor> {
  const tenantId = tenantOfSecret(secret)
  const key =
    tenantId && (await database.asTenant(tenantId, (tx) => findKey(tx, hashSecret(secret)), { access: 'read only' }))
  if (!key) throw new FibricError('KEY_INVALID', 'the API key is not known here', { hint: 'check FIBRIC_TOKEN' })
  if (key.revoked_at !== null) {
    throw new FibricError('KEY_REVOKED', `the API key \`${key.key_id}\` was revoked at ${key.revoked_at}`, {
      hint: 'ask for a new one: fibric keys create',
      details: { key_id: key.key_id },
    })
  }
  if (key.expires_at !== null && Date.parse(key.expires_at) <= now.getTime()) {
    throw new FibricError('KEY_EXPIRED', `the API key \`${key.key_id}\` expired at ${key.expires_at}`, {
      hint: 'ask for a new one: fibric keys create',
      details: { key_id: key.key_id },
    })
  }
  if (key.user_address !== null) await requireStanding(database, key.tenant_id, key.key_id, key.user_address as Address)
  return keyActor(key)
}

/** Whoever takes a person out of the configuration has locked them out: the keys that speak for them end with them. */
async function requireStanding(database: Database, tenantId: TenantId, keyId: string, user: Address): Promise<void> {
  const [receipt] = await database.asTenant(tenantId, (tx) => readLastReceipts(tx, [{ tenantId, address: user }]), {
    access: 'read only',
  })
  if (receipt && receipt.receipted_digest !== null) return
  throw new FibricError('KEY_REVOKED', `the API key \`${keyId}\` speaks for \`${user}\`, who is no User any more`, {
    hint: 'ask for a new one: fibric keys create',
  })
}

export function requireScope(actor: Actor, scope: Scope): void {
  if (actor.scopes.includes(scope)) return
  throw new FibricError('INSUFFICIENT_SCOPE', `\`${actor.person}\` lacks the scope \`${scope}\``, {
    hint: 'use a key with a role that has it: fibric keys create --role',
  })
}

function keyActor(key: ApiKeyRow): Actor {
  const person = key.user_address ?? `key:${key.key_id}`
  return {
    principal: { kind: 'person', name: person },
    person,
    user: key.user_address as Address | null,
    local: false,
    keyId: key.key_id,
    administers: key.user_address === null && key.tenant_id === platformTenantId && key.created_by.startsWith('local:'),
    tenantId: key.tenant_id === platformTenantId ? null : key.tenant_id,
    scopes: key.scopes,
  }
}
