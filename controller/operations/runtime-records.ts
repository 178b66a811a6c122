import { randomBytes } from 'node:crypto'
import { FibricError } from '../domain/errors.ts'
import { type Address, mintId, platformTenantId, type ReceiptId, type TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { controlEntry } from '../domain/receipt.ts'
import type { Engine } from '../engine.ts'
import { sequenceLedger } from '../ledger/sequence.ts'
import { readActual, tenantOf } from '../reconciler/actual.ts'
import { moveConfigMark } from '../store/config-marks.ts'
import { bumpRulesEpoch } from '../store/domains.ts'
import { appendEntries } from '../store/ledger.ts'
import { removeSuspension, writeBreakGlass, writeSuspension } from '../store/runtime-records.ts'
import { requireScope } from '../tenancy/actor.ts'

/** Nothing changes a suspended object until the date: a record beside git, never drift, never undone by an apply. */
export async function suspend(engine: Engine, address: Address, reason: string, forMs: number): Promise<string> {
  requireScope(engine.actor, 'operators:write')
  const tenantId = await appliedTenant(engine, address)
  const now = engine.clock()
  const until = new Date(now.getTime() + forMs).toISOString()
  await engine.database.asTenant(tenantId, async (tx) => {
    await writeSuspension(tx, {
      tenant_id: tenantId,
      address,
      reason,
      person: engine.actor.person,
      created_at: now.toISOString(),
      until,
    })
    await appendEntries(tx, tenantId, null, now.toISOString(), [
      entry(engine, 'control.object.suspend', tenantId, now, { address, reason, until }),
    ])
  })
  await sequenceLedger(engine.database, tenantId, now.toISOString())
  return until
}

export async function resume(engine: Engine, address: Address): Promise<void> {
  requireScope(engine.actor, 'operators:write')
  const tenantId = await appliedTenant(engine, address)
  const now = engine.clock()
  await engine.database.asTenant(tenantId, async (tx) => {
    if (!(await removeSuspension(tx, address))) {
      throw new FibricError('STATE_CONFLICT', `\`${address}\` is not suspended`, {
        hint: `see: fibric state show ${address}`,
      })
    }
    await appendEntries(tx, tenantId, null, now.toISOString(), [
      entry(engine, 'control.object.resume', tenantId, now, { address }),
    ])
  })
  await sequenceLedger(engine.database, tenantId, now.toISOString())
}

/**
 * The way back in after a lock-out: for a while one built-in rule lets configuration changes through, and every receipt
 * under it says so. Only in process, by whoever holds the root key: opening the database took it.
 */
export async function breakGlass(engine: Engine, reason: string, forMs: number): Promise<string> {
  if (!engine.actor.local || engine.database.rootKey === null) {
    throw new FibricError('INSUFFICIENT_SCOPE', 'break-glass needs the root key at hand, and takes no API key', {
      hint: 'unset FIBRIC_TOKEN and run it where root.key or FIBRIC_ROOT_KEY is',
    })
  }
  const now = engine.clock()
  const until = new Date(now.getTime() + forMs).toISOString()
  const id = mintId('object', now.getTime(), randomBytes(10))
  await engine.database.asTenant(platformTenantId, async (tx) => {
    await writeBreakGlass(tx, { break_glass_id: id, reason, person: engine.actor.person, until }, now.toISOString())
    const noted = entry(engine, 'control.break_glass.open', platformTenantId, now, { id, reason, until })
    await appendEntries(tx, platformTenantId, null, now.toISOString(), [noted])
  })
  // Whoever has rules in memory reads them again.
  await engine.database.asWorker([platformTenantId], async (tx) => {
    await bumpRulesEpoch(tx, platformTenantId)
    await moveConfigMark(tx, platformTenantId)
  })
  await sequenceLedger(engine.database, platformTenantId, now.toISOString())
  return until
}

async function appliedTenant(engine: Engine, address: Address): Promise<TenantId> {
  const actual = await readActual(engine.database, engine.clock())
  const tenantId = tenantOf(actual, address)
  const applied = actual.objects.some((object) => object.address === address)
  const foreign = engine.actor.tenantId !== null && engine.actor.tenantId !== tenantId
  if (tenantId === null || !applied || foreign) {
    throw new FibricError('NOT_FOUND', `nothing is applied at \`${address}\``, {
      hint: 'see what is with: fibric state list',
    })
  }
  return tenantId
}

function entry(engine: Engine, kind: string, tenantId: TenantId, now: Date, details: JsonObject) {
  const id = mintId('receipt', now.getTime(), randomBytes(10)) as ReceiptId
  return controlEntry(id, kind, { tenantId, person: engine.actor.person, at: now.toISOString(), details })
}
