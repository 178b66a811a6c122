import { platformTenantId, type Slug } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { sequenceLedger } from '../ledger/sequence.ts'
import type { ApiKeyRow } from '../store/keys.ts'
import { createKey, listKeys, type NewKey, revokeKey } from '../tenancy/keys.ts'
import { visibleDomains } from './domains.ts'

export type { ApiKeyRow, NewKey }

/** Makes a key and answers its secret, which is shown once. */
export async function makeKey(engine: Engine, wanted: NewKey): Promise<{ key: ApiKeyRow; secret: string }> {
  const made = await createKey(engine.database, engine.actor, wanted, engine.clock())
  await sequence(engine, wanted.slug)
  return made
}

export function showKeys(engine: Engine, slug: Slug): Promise<ApiKeyRow[]> {
  return listKeys(engine.database, engine.actor, slug)
}

export async function endKey(engine: Engine, slug: Slug, keyId: string): Promise<void> {
  await revokeKey(engine.database, engine.actor, slug, keyId, engine.clock())
  await sequence(engine, slug)
}

async function sequence(engine: Engine, slug: Slug): Promise<void> {
  const domain = (await visibleDomains(engine, slug))[0]
  await sequenceLedger(engine.database, domain?.tenant_id ?? platformTenantId, engine.clock().toISOString())
}
