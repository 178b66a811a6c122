import { createHmac } from 'node:crypto'
import { mintId, platformTenantId, type Slug } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { sequenceLedger } from '../ledger/sequence.ts'
import type { ApiKeyRow } from '../store/keys.ts'
import { createKey, type KeyMaterial, listKeys, type NewKey, revokeKey } from '../tenancy/keys.ts'
import { visibleDomains } from './domains.ts'
import type { Once } from './once.ts'

export type { ApiKeyRow, NewKey }

/** Makes a key and answers its secret, which is shown once. */
export async function makeKey(
  engine: Engine,
  wanted: NewKey,
  once: Once | null = null,
): Promise<{ key: ApiKeyRow; secret: string }> {
  const made = await createKey(engine.database, engine.actor, wanted, engine.clock(), materialOf(engine, once))
  await sequence(engine, wanted.slug)
  return made
}

export type KeyInSight = ApiKeyRow & { readonly tenant: Slug }

/** The keys of one domain, or of all in sight, newest first. No login reads those of two domains at once. */
export async function showKeys(engine: Engine, slug: string | null): Promise<KeyInSight[]> {
  const keys: KeyInSight[] = []
  for (const domain of await visibleDomains(engine, slug)) {
    const own = await listKeys(engine.database, engine.actor, domain)
    keys.push(...own.map((key) => ({ ...key, tenant: domain.slug })))
  }
  return keys.sort((a, b) => (a.key_id < b.key_id ? 1 : -1))
}

export async function endKey(engine: Engine, slug: Slug, keyId: string): Promise<void> {
  await revokeKey(engine.database, engine.actor, slug, keyId, engine.clock())
  await sequence(engine, slug)
}

/** Of one request, the same key each time it is attempted: only who has the root key could draw its secret too. */
function materialOf(engine: Engine, once: Once | null): KeyMaterial | null {
  if (once === null) return null
  const secretKey = engine.database.rootKey!.deriveSecret('api keys')
  const random = (block: number): Buffer => createHmac('sha512', secretKey).update(`${once.id} ${block}`).digest()
  return { keyId: mintId('key', Date.parse(once.at), Buffer.from(once.id, 'hex')), random }
}

async function sequence(engine: Engine, slug: Slug): Promise<void> {
  const domain = (await visibleDomains(engine, slug))[0]
  await sequenceLedger(engine.database, domain?.tenant_id ?? platformTenantId, engine.clock().toISOString())
}
