import { FibricError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { sequenceLedger } from '../ledger/sequence.ts'
import type { SecretListing } from '../store/secrets.ts'
import { requireScope } from '../tenancy/actor.ts'
import { deleteSecret, listSecrets, rotateTenantKey, writeSecret } from '../tenancy/secrets.ts'
import { defaultField, parseSecretName } from '../tenancy/secrets-rules.ts'
import { visibleDomains } from './domains.ts'

export { valueBytesMax } from '../tenancy/secrets-rules.ts'
export type { SecretListing }

/** Which version of which field was written. */
export interface WrittenSecret {
  readonly tenant: string
  readonly name: string
  readonly field: string
  readonly version: number
  /** Until when the version before stays good; null where it is gone. */
  readonly previousUntil: string | null
}

/** Sets `NAME` or `NAME.FIELD`; `keepPreviousMs` keeps the version before good for a while. Values are never read back. */
export async function setSecret(
  engine: Engine,
  slug: string,
  secret: string,
  value: Buffer,
  keepPreviousMs = 0,
): Promise<WrittenSecret> {
  const tenantId = await domainToWrite(engine, slug)
  const { name, field: named } = parseSecretName(secret)
  const field = named ?? defaultField
  const now = engine.clock()
  const change = { person: engine.actor.person, now, keepPreviousMs }
  const version = await writeSecret(engine.database, { tenantId, name, field }, value, change)
  await sequenceLedger(engine.database, tenantId, now.toISOString())
  const kept = keepPreviousMs > 0 && version > 1
  const previousUntil = kept ? new Date(now.getTime() + keepPreviousMs).toISOString() : null
  return { tenant: slug, name, field, version, previousUntil }
}

export type SecretInSight = SecretListing & { readonly tenant: string }

/** Names, fields and versions in one domain, or in all in sight; values have no way back out. */
export async function showSecrets(engine: Engine, slug: string | null): Promise<SecretInSight[]> {
  requireScope(engine.actor, 'config:read')
  const secrets: SecretInSight[] = []
  // No login reads those of two domains at once.
  for (const { tenant_id: tenantId, slug: tenant } of await visibleDomains(engine, slug)) {
    const own = await listSecrets(engine.database, tenantId, engine.clock())
    secrets.push(...own.map((secret) => ({ ...secret, tenant })))
  }
  return secrets
}

/** Destroys a field's versions, or with `NAME` alone those of every field. */
export async function removeSecret(engine: Engine, slug: string, secret: string): Promise<void> {
  const tenantId = await domainToWrite(engine, slug)
  const place = { tenantId, ...parseSecretName(secret) }
  const now = engine.clock()
  if (!(await deleteSecret(engine.database, place, { person: engine.actor.person, now }))) {
    throw new FibricError('NOT_FOUND', `\`${slug}\` has no secret \`${secret}\``, {
      hint: `see them with: fibric secrets list --tenant ${slug}`,
    })
  }
  await sequenceLedger(engine.database, tenantId, now.toISOString())
}

/** Gives a domain its next key and wraps every data key anew. */
export async function rotateKeyOf(
  engine: Engine,
  slug: string,
): Promise<{ from: string; to: string; versions: number }> {
  const tenantId = await domainToWrite(engine, slug)
  const now = engine.clock()
  const { from, to, rewrapped } = await rotateTenantKey(engine.database, tenantId, { person: engine.actor.person, now })
  await sequenceLedger(engine.database, tenantId, now.toISOString())
  return { from, to, versions: rewrapped }
}

function domainToWrite(engine: Engine, slug: string): Promise<TenantId> {
  requireScope(engine.actor, 'secrets:write')
  return domainOf(engine, slug)
}

async function domainOf(engine: Engine, slug: string): Promise<TenantId> {
  const [domain] = await visibleDomains(engine, slug)
  return domain!.tenant_id
}
