import { randomBytes } from 'node:crypto'
import { FibricError } from '../domain/errors.ts'
import { mintId, type ReceiptId, type TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { controlEntry } from '../domain/receipt.ts'
import type { Database } from '../store/connect.ts'
import { appendEntries } from '../store/ledger.ts'
import {
  destroySecretVersions,
  forgetTokens,
  insertSecretVersion,
  limitSecretVersion,
  listSecretVersions,
  lockSecrets,
  readLastVersion,
  readLiveVersions,
  readSealedVersions,
  rewrapVersions,
  type SecretListing,
  type SecretVersionRow,
} from '../store/secrets.ts'
import type { Transaction } from '../store/tenancy.ts'
import type { RootKey } from './root-key.ts'
import { checkSecretValue } from './secrets-rules.ts'
import {
  ensureTenantKeys,
  openEnvelope,
  openTenantKeys,
  replaceTenantKeys,
  rewrapEnvelope,
  rootKeyOfDatabase,
  sealEnvelope,
  type TenantKeys,
} from './tenant-key.ts'

/** A secret in the clear. It is for the egress broker and for verifying webhooks: it reaches no output, log or error. */
export interface SecretValue {
  readonly name: string
  readonly field: string
  readonly version: number
  readonly value: Buffer
}

/** Which secret, of which domain. */
export interface SecretPlace {
  readonly tenantId: TenantId
  readonly name: string
  readonly field: string
}

/** Who changes it, and when. */
export interface SecretChange {
  readonly person: string
  readonly now: Date
  /**
   * How long the version before stays good: webhook senders and providers with two keys rotate without a gap. Zero: it
   * is destroyed at once.
   */
  readonly keepPreviousMs: number
  /** Refuses when the field's newest version is another one: for a writer that read it first. */
  readonly expectVersion?: number
}

/** The live versions of a field, newest first: one, or with `versions: 2` also the one before while it is good. */
export async function readSecret(
  database: Database<RootKey>,
  tenantId: TenantId,
  name: string,
  field: string,
  wanted: { readonly versions: 1 | 2; readonly now?: Date },
): Promise<readonly SecretValue[]> {
  return (await openVersions(database, tenantId, name, field, wanted.now)).slice(0, wanted.versions)
}

/** The newest version of every field of a credential. */
export async function readCredential(
  database: Database<RootKey>,
  tenantId: TenantId,
  name: string,
): Promise<ReadonlyMap<string, SecretValue>> {
  const byField = new Map<string, SecretValue>()
  for (const value of await openVersions(database, tenantId, name, null)) {
    if (!byField.has(value.field)) byField.set(value.field, value)
  }
  return byField
}

/** Writes the next version; answers its number. The value is never in a statement's text, an error or the ledger. */
export async function writeSecret(
  database: Database<RootKey>,
  place: SecretPlace,
  value: Buffer,
  change: SecretChange,
): Promise<number> {
  checkSecretValue(place, value)
  const rootKey = rootKeyOfDatabase(database)
  const { tenantId, name, field } = place
  const now = change.now.toISOString()
  return database.asTenant(tenantId, async (tx) => {
    await lockSecrets(tx, tenantId)
    const last = await readLastVersion(tx, name, field)
    if (change.expectVersion !== undefined && change.expectVersion !== last) throw moved(place, last)
    const version = last + 1
    const keys = await ensureTenantKeys(tx, rootKey, tenantId, now)
    const envelope = sealEnvelope(keys, value, contextOf({ ...place, version }))
    await insertSecretVersion(tx, { ...place, version, ...envelope, createdBy: change.person, now })
    const kept = change.keepPreviousMs > 0 ? last : null
    await destroySecretVersions(tx, name, field, kept === null ? last : last - 1, now)
    if (kept !== null) {
      const until = new Date(change.now.getTime() + change.keepPreviousMs).toISOString()
      await limitSecretVersion(tx, name, field, kept, until)
    }
    await appendSecretEntry(tx, place.tenantId, change, last === 0 || kept === null ? 'set' : 'rotate', {
      name,
      field,
      version,
    })
    return version
  })
}

/** Destroys every version of a field, or of all fields of a credential. False when there was none. */
export async function deleteSecret(
  database: Database<RootKey>,
  place: { readonly tenantId: TenantId; readonly name: string; readonly field: string | null },
  change: Pick<SecretChange, 'person' | 'now'>,
): Promise<boolean> {
  const { tenantId, name, field } = place
  return database.asTenant(tenantId, async (tx) => {
    await lockSecrets(tx, tenantId)
    const gone = await destroySecretVersions(tx, name, field, maximumVersion, change.now.toISOString())
    if (gone.length === 0) return false
    await forgetTokens(tx, name)
    const fields = [...new Set(gone.map((version) => version.field))].sort()
    await appendSecretEntry(tx, tenantId, change, 'delete', { name, fields })
    return true
  })
}

export function listSecrets(database: Database, tenantId: TenantId, now: Date): Promise<SecretListing[]> {
  return database.asTenant(tenantId, (tx) => listSecretVersions(tx, now.toISOString()), { access: 'read only' })
}

/** Gives a domain its next key: every data key is wrapped anew, no value is opened. Answers how many. */
export async function rotateTenantKey(
  database: Database<RootKey>,
  tenantId: TenantId,
  change: Pick<SecretChange, 'person' | 'now'>,
): Promise<{ readonly from: string; readonly to: string; readonly rewrapped: number }> {
  const rootKey = rootKeyOfDatabase(database)
  return database.asTenant(tenantId, async (tx) => {
    await lockSecrets(tx, tenantId)
    let rewrapped = 0
    const ids = await replaceTenantKeys(tx, rootKey, tenantId, change.now.toISOString(), async (keys) => {
      const rows = await readSealedVersions(tx)
      rewrapped = rows.length
      await rewrapVersions(
        tx,
        keys.current.id,
        rows.map((row) => {
          const { wrappedKey } = rewrapEnvelope(keys, envelopeOf(row), contextOf({ tenantId, ...row }))
          return { name: row.name, field: row.field, version: row.version, wrappedKey }
        }),
      )
      await forgetTokens(tx, null)
    })
    await appendSecretEntry(tx, tenantId, change, 'rewrap', { from: ids.from, to: ids.to, versions: rewrapped })
    return { ...ids, rewrapped }
  })
}

const maximumVersion = 2_147_483_647

async function openVersions(
  database: Database<RootKey>,
  tenantId: TenantId,
  name: string,
  field: string | null,
  now: Date = new Date(),
): Promise<SecretValue[]> {
  const rootKey = rootKeyOfDatabase(database)
  return database.asTenant(
    tenantId,
    async (tx) => {
      const [keys, rows] = await Promise.all([
        openTenantKeys(tx, rootKey, tenantId),
        readLiveVersions(tx, name, field, now.toISOString()),
      ])
      return keys === null ? [] : rows.map((row) => opened(keys, tenantId, row))
    },
    // Both reads see one key: a rotation between them would leave rows under a key that was not there yet.
    { access: 'read only', isolation: 'repeatable read' },
  )
}

function opened(keys: TenantKeys, tenantId: TenantId, row: SecretVersionRow): SecretValue {
  const value = openEnvelope(keys, envelopeOf(row), contextOf({ tenantId, ...row }))
  return { name: row.name, field: row.field, version: row.version, value }
}

function envelopeOf(row: SecretVersionRow) {
  return { tenantKeyId: row.tenant_key_id, wrappedKey: row.wrapped_key, sealed: row.sealed }
}

function contextOf(place: SecretPlace & { readonly version: number }): readonly (string | number)[] {
  return ['secret', place.tenantId, place.name, place.field, place.version]
}

async function appendSecretEntry(
  tx: Transaction,
  tenantId: TenantId,
  change: Pick<SecretChange, 'person' | 'now'>,
  verb: 'set' | 'rotate' | 'delete' | 'rewrap',
  details: JsonObject,
): Promise<void> {
  const at = change.now.toISOString()
  const id = mintId('receipt', change.now.getTime(), randomBytes(10)) as ReceiptId
  await appendEntries(tx, tenantId, null, at, [
    controlEntry(id, `control.secret.${verb}`, { tenantId, person: change.person, at, details }),
  ])
}

function moved(place: SecretPlace, last: number): FibricError {
  return new FibricError('STATE_CONFLICT', `\`${place.name}.${place.field}\` is at version ${last} by now`, {
    hint: 'read it again',
  })
}
