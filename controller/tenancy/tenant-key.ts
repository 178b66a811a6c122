import { randomBytes } from 'node:crypto'
import { FibricError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { Database } from '../store/connect.ts'
import {
  forgetTenantKey,
  insertTenantKey,
  readCurrentTenantKey,
  readTenantKeys,
  replaceTenantKey,
} from '../store/secrets.ts'
import type { Transaction } from '../store/tenancy.ts'
import { openSealed, type RootKey, type SealingKey, seal } from './root-key.ts'

/** What a value is stored as: its own data key, wrapped by the tenant key, and the value sealed under it. */
export interface Envelope {
  readonly tenantKeyId: string
  readonly wrappedKey: Buffer
  readonly sealed: Buffer
}

/** The keys of one domain that still open something: the current one, and during a rotation the one before. */
export interface TenantKeys {
  readonly current: SealingKey
  readonly byId: ReadonlyMap<string, SealingKey>
}

export function rootKeyOfDatabase(database: Database<RootKey>): RootKey {
  if (database.rootKey !== null) return database.rootKey
  throw new FibricError('ROOT_KEY_MISSING', 'there is no root key here, so no secret can be sealed or opened', {
    hint: 'put the root.key back, or set FIBRIC_ROOT_KEY',
  })
}

/** The keys of a domain; its first is made here. */
export async function ensureTenantKeys(
  tx: Transaction,
  rootKey: RootKey,
  tenantId: TenantId,
  now: string,
): Promise<TenantKeys> {
  const present = await openTenantKeys(tx, rootKey, tenantId)
  if (present !== null) return present
  const key = newKey()
  await insertTenantKey(tx, { tenantId, keyId: key.id, sealed: sealedUnder(rootKey, tenantId, key), now })
  return (await openTenantKeys(tx, rootKey, tenantId))!
}

/** Null where the domain never had one, or its key was destroyed. */
export async function openTenantKeys(
  tx: Transaction,
  rootKey: RootKey,
  tenantId: TenantId,
): Promise<TenantKeys | null> {
  const rows = await readTenantKeys(tx)
  const byId = new Map(
    rows.map((row) => [
      row.key_id,
      { id: row.key_id, sealingBytes: openSealed(rootKey, row.sealed, keyContext(tenantId, row.key_id)) },
    ]),
  )
  const current = rows.find((row) => row.current)
  return current ? { current: byId.get(current.key_id)!, byId } : null
}

/** Makes the next key and lets `rewrap` move everything to it; the last one is gone when the transaction commits. */
export async function replaceTenantKeys(
  tx: Transaction,
  rootKey: RootKey,
  tenantId: TenantId,
  now: string,
  rewrap: (keys: TenantKeys) => Promise<void>,
): Promise<{ readonly from: string; readonly to: string }> {
  const before = await readCurrentTenantKey(tx)
  if (before === null) throw new FibricError('NOT_FOUND', 'the domain has no key yet', { hint: 'it holds no secret' })
  const key = newKey()
  await replaceTenantKey(tx, { tenantId, keyId: key.id, sealed: sealedUnder(rootKey, tenantId, key), now })
  await rewrap((await openTenantKeys(tx, rootKey, tenantId))!)
  await forgetTenantKey(tx, before)
  return { from: before, to: key.id }
}

/** `context` names what is sealed: it is authenticated, so that sealed bytes moved to another row do not open there. */
export function sealEnvelope(keys: TenantKeys, plaintext: Uint8Array, context: readonly (string | number)[]): Envelope {
  const dataKey = newKey()
  return {
    tenantKeyId: keys.current.id,
    wrappedKey: wrap(keys.current, dataKey, context),
    sealed: seal(dataKey, plaintext, contextText('value', context)),
  }
}

export function openEnvelope(keys: TenantKeys, envelope: Envelope, context: readonly (string | number)[]): Buffer {
  return openSealed(unwrap(keys, envelope, context), envelope.sealed, contextText('value', context))
}

/** The same value under the current tenant key; the plaintext is not touched. */
export function rewrapEnvelope(keys: TenantKeys, envelope: Envelope, context: readonly (string | number)[]): Envelope {
  const dataKey = unwrap(keys, envelope, context)
  return { ...envelope, tenantKeyId: keys.current.id, wrappedKey: wrap(keys.current, dataKey, context) }
}

const idSizeBytes = 8

function newKey(): SealingKey {
  return { id: randomBytes(idSizeBytes).toString('hex'), sealingBytes: randomBytes(32) }
}

/** The data key's id travels with its bytes; `seal` authenticates the id of the key it seals under. */
function wrap(tenantKey: SealingKey, dataKey: SealingKey, context: readonly (string | number)[]): Buffer {
  const bytes = Buffer.concat([Buffer.from(dataKey.id, 'hex'), dataKey.sealingBytes])
  return seal(tenantKey, bytes, contextText('data-key', context))
}

function unwrap(keys: TenantKeys, envelope: Envelope, context: readonly (string | number)[]): SealingKey {
  const tenantKey = keys.byId.get(envelope.tenantKeyId)
  if (tenantKey === undefined) {
    throw new FibricError('ROOT_KEY_INVALID', `the tenant key ${envelope.tenantKeyId} is not there any more`)
  }
  const bytes = openSealed(tenantKey, envelope.wrappedKey, contextText('data-key', context))
  return { id: bytes.subarray(0, idSizeBytes).toString('hex'), sealingBytes: bytes.subarray(idSizeBytes) }
}

function sealedUnder(rootKey: RootKey, tenantId: TenantId, key: SealingKey): Buffer {
  return seal(rootKey, key.sealingBytes, keyContext(tenantId, key.id))
}

function keyContext(tenantId: TenantId, keyId: string): string {
  return contextText('tenant-key', [tenantId, keyId])
}

/** A list as JSON: no two lists have the same text. */
function contextText(what: string, context: readonly (string | number)[]): string {
  return JSON.stringify([what, ...context])
}
