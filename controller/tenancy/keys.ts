import { randomBytes } from 'node:crypto'
import { FibricError } from '../domain/errors.ts'
import { type Address, mintId, platformSlug, type ReceiptId, type Slug, type TenantId } from '../domain/ids.ts'
import { controlEntry } from '../domain/receipt.ts'
import type { Database } from '../store/connect.ts'
import { type DomainRow, readDomains } from '../store/domains.ts'
import { type ApiKeyRow, readKeys, revokeKeyRow, writeKey } from '../store/keys.ts'
import { appendEntries } from '../store/ledger.ts'
import { readReceipted } from '../store/objects.ts'
import { type Actor, hashSecret, requireScope } from './actor.ts'
import { isKeyRole, keyRoles } from './key-scopes.ts'

export interface NewKey {
  readonly slug: Slug
  readonly role: string
  readonly name: string | null
  /** Address of the User the key will speak for. */
  readonly user: Address | null
  readonly expiresAt: string | null
}

/** Where a key comes from whose making may have to be repeated. */
export interface KeyMaterial {
  readonly keyId: string
  /** 64 bytes that nobody can guess, others for each block. */
  random(block: number): Buffer
}

/** Makes a key and answers its secret, which is shown once and kept nowhere. A key never exceeds its creator. */
export async function createKey(
  database: Database,
  actor: Actor,
  wanted: NewKey,
  now: Date,
  material: KeyMaterial | null = null,
): Promise<{ key: ApiKeyRow; secret: string }> {
  requireScope(actor, 'keys:write')
  if (!isKeyRole(wanted.role)) {
    throw new FibricError('USAGE', `there is no key role \`${wanted.role}\``, {
      hint: `one of: ${Object.keys(keyRoles).join(', ')}`,
    })
  }
  const scopes = keyRoles[wanted.role]
  const beyond = scopes.filter((scope) => !actor.scopes.includes(scope))
  if (beyond.length > 0) {
    throw new FibricError('INSUFFICIENT_SCOPE', `a key never exceeds its creator, who lacks ${beyond.join(', ')}`)
  }
  const tenantId = await tenantIdOf(database, wanted.slug)
  if (actor.tenantId !== null && actor.tenantId !== tenantId) throw unknownDomain(wanted.slug)
  if (wanted.user !== null) {
    await requireUser(database, tenantId, wanted.user)
    requireOwnName(actor, wanted.user)
  }
  const secret = mintSecret(tenantId, material?.random ?? (() => randomBytes(64)))
  const key: ApiKeyRow = {
    tenant_id: tenantId,
    key_id: material?.keyId ?? mintId('key', now.getTime(), randomBytes(10)),
    name: wanted.name,
    user_address: wanted.user,
    role: wanted.role,
    scopes,
    prefix: secret.slice(0, 8),
    last_four: secret.slice(-4),
    created_by: actor.person,
    created_at: now.toISOString(),
    expires_at: wanted.expiresAt,
    revoked_at: null,
  }
  return database.asTenant(tenantId, async (tx) => {
    if (!(await writeKey(tx, key, hashSecret(secret)))) {
      // Made by an attempt whose answer was lost: it is the same one.
      const made = (await readKeys(tx)).find(({ key_id: id }) => id === key.key_id)
      return { key: made ?? key, secret }
    }
    await appendEntries(tx, tenantId, null, key.created_at, [
      keyEntry('control.key.create', tenantId, actor, now, {
        key_id: key.key_id,
        role: key.role,
        user: key.user_address,
      }),
    ])
    return { key, secret }
  })
}

export async function listKeys(
  database: Database,
  actor: Actor,
  { tenant_id: tenantId, slug }: Pick<DomainRow, 'tenant_id' | 'slug'>,
): Promise<ApiKeyRow[]> {
  requireScope(actor, 'keys:read')
  if (actor.tenantId !== null && actor.tenantId !== tenantId) throw unknownDomain(slug)
  return database.asTenant(tenantId, readKeys, { access: 'read only' })
}

export async function revokeKey(database: Database, actor: Actor, slug: Slug, keyId: string, now: Date): Promise<void> {
  requireScope(actor, 'keys:write')
  const tenantId = await tenantIdOf(database, slug)
  if (actor.tenantId !== null && actor.tenantId !== tenantId) throw unknownDomain(slug)
  await database.asTenant(tenantId, async (tx) => {
    if (!(await revokeKeyRow(tx, keyId, now.toISOString()))) {
      throw new FibricError('NOT_FOUND', `\`${slug}\` has no live key \`${keyId}\``, {
        hint: `see them with: fibric keys list --tenant ${slug}; one of another domain is named with it: --tenant SLUG`,
      })
    }
    await appendEntries(tx, tenantId, null, now.toISOString(), [
      keyEntry('control.key.revoke', tenantId, actor, now, { key_id: keyId }),
    ])
  })
}

async function tenantIdOf(database: Database, slug: Slug): Promise<TenantId> {
  const domains = await database.asWorker([], readDomains, { access: 'read only' })
  const domain = domains.find((candidate) => candidate.slug === slug)
  if (!domain) throw unknownDomain(slug)
  return domain.tenant_id
}

/** A key in somebody else's name would approve in their name: it takes whoever administers the deployment to make one. */
function requireOwnName(actor: Actor, user: Address): void {
  if (actor.administers || actor.user === user) return
  throw new FibricError('INSUFFICIENT_SCOPE', `\`${actor.person}\` may not make a key that speaks for \`${user}\``, {
    hint: 'ask whoever holds the admin key of the deployment, or make one for yourself',
  })
}

async function requireUser(database: Database, tenantId: TenantId, user: Address): Promise<void> {
  const users = await database.asWorker([tenantId], (tx) => readReceipted(tx, [tenantId], ['User']), {
    access: 'read only',
  })
  if (users.some((candidate) => candidate.address === user)) return
  throw new FibricError('NOT_FOUND', `there is no applied User \`${user}\``, {
    hint: 'apply it first; see the applied ones with: fibric get User',
  })
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** `sk_live_<domain>_<43 characters>`: 256 bits, and the domain to look the key up in. */
function mintSecret(tenantId: TenantId, random: (block: number) => Buffer): string {
  const characters: string[] = []
  for (let block = 0; characters.length < 43; block++) {
    // Bytes past the last whole multiple of 62 would favour the first letters.
    for (const byte of random(block)) if (byte < 248 && characters.length < 43) characters.push(alphabet[byte % 62]!)
  }
  return `sk_live_${tenantId.slice(2)}_${characters.join('')}`
}

function keyEntry(
  kind: string,
  tenantId: TenantId,
  actor: Actor,
  now: Date,
  details: { [key: string]: string | null },
) {
  const id = mintId('receipt', now.getTime(), randomBytes(10)) as ReceiptId
  return controlEntry(id, kind, { tenantId, person: actor.person, at: now.toISOString(), details })
}

function unknownDomain(slug: Slug): FibricError {
  const what = slug === platformSlug ? 'governance domain' : `tenant \`${slug}\``
  return new FibricError('NOT_FOUND', `there is no ${what} here`, {
    hint: 'see the applied ones with: fibric get Tenant',
  })
}
