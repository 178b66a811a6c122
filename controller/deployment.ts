import { randomBytes } from 'node:crypto'
import { FibricError } from './domain/errors.ts'
import { platformSlug, platformTenantId } from './domain/ids.ts'
import type { Database } from './store/connect.ts'
import { createDeployment, type DeploymentRow, readDeployment } from './store/deployment.ts'
import { readKeys } from './store/keys.ts'
import { localActor } from './tenancy/actor.ts'
import { createKey } from './tenancy/keys.ts'
import type { RootKey } from './tenancy/root-key.ts'
import { createSigningKey, readSigningKey, type SigningKey } from './tenancy/signing-key.ts'

export interface Deployment {
  readonly row: DeploymentRow
  readonly signingKey: SigningKey
}

/** The deployment a database belongs to; a database that belongs to none yet becomes one. */
export async function enterDeployment(database: Database<RootKey>, now: Date): Promise<Deployment> {
  const { rootKey } = database
  if (rootKey === null) {
    throw new FibricError(
      'ROOT_KEY_MISSING',
      'plans are signed with a key that only the root key opens, and there is none',
      {
        hint: 'set FIBRIC_ROOT_KEY, or bring the root.key this database was made with',
      },
    )
  }
  const read = () => database.asTenant(platformTenantId, readDeployment, { access: 'read only' })
  const existing = await read()
  if (!existing) {
    const id = `dep_${randomBytes(12).toString('hex')}`
    await database.asTenant(platformTenantId, (tx) => createDeployment(tx, id, now.toISOString()))
  }
  const row = existing ?? (await read())!
  const signingKey =
    (await readSigningKey(database, rootKey)) ?? (await createSigningKey(database, rootKey, now.toISOString()))
  return { row, signingKey }
}

/** The first admin key of a deployment, shown once; null when it was made before. */
export async function mintAdminKey(database: Database, login: string, now: Date): Promise<string | null> {
  const keys = await database.asTenant(platformTenantId, readKeys, { access: 'read only' })
  if (keys.length > 0) return null
  const wanted = { slug: platformSlug, role: 'admin', name: 'admin', user: null, expiresAt: null }
  const { secret } = await createKey(database, localActor(login), wanted, now)
  return secret
}
