import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { platformTenantId } from '../domain/ids.ts'
import type { PlanSigner } from '../domain/plan-file.ts'
import type { Database } from '../store/connect.ts'
import { readSealedKey, writeSealedKey } from '../store/deployment.ts'
import { openSealed, type RootKey, seal } from './root-key.ts'

const purpose = 'deployment-signing'

export interface SigningKey extends PlanSigner {
  readonly publicKey: KeyObject
}

/** The deployment's Ed25519 key for plans and checkpoints, sealed under the root key; null before it was made. */
export async function readSigningKey(database: Database, rootKey: RootKey): Promise<SigningKey | null> {
  const row = await database.asTenant(platformTenantId, (tx) => readSealedKey(tx, purpose), { access: 'read only' })
  if (row === null) return null
  const pkcs8 = openSealed(rootKey, row.sealed, sealContext(row.key_id))
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  return { keyId: row.key_id, privateKey, publicKey: createPublicKey(privateKey) }
}

export async function createSigningKey(database: Database, rootKey: RootKey, now: string): Promise<SigningKey> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const keyId = `sig_${randomBytes(8).toString('hex')}`
  const sealed = seal(rootKey, privateKey.export({ format: 'der', type: 'pkcs8' }), sealContext(keyId))
  const exported = publicKey.export({ format: 'der', type: 'spki' })
  await database.asTenant(platformTenantId, (tx) =>
    writeSealedKey(tx, { keyId, purpose, publicKey: exported, sealed, now }),
  )
  return { keyId, privateKey, publicKey }
}

function sealContext(keyId: string): string {
  return `${purpose}/${keyId}`
}
