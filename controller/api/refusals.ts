import { randomBytes } from 'node:crypto'
import { mintId, type ReceiptId, type TenantId } from '../domain/ids.ts'
import { controlEntry } from '../domain/receipt.ts'
import type { Engine } from '../engine.ts'
import { sequenceLedger } from '../ledger/sequence.ts'
import { readDomains } from '../store/domains.ts'
import { appendEntries } from '../store/ledger.ts'
import { noteRefusal, type RefusalRow, readRefusingDomains, takeRefusals } from '../store/requests.ts'

export interface Refusal {
  /** The domain of the credential, whose ledger says it. */
  readonly tenantId: TenantId
  readonly keyId: string
  readonly code: string
  readonly route: string
  readonly requestId: string
}

const minuteMs = 60_000

/** Notes that a known credential was refused. It becomes a ledger entry when its minute is over, equal ones as one. */
export async function refuse(engine: Engine, refusal: Refusal): Promise<void> {
  await engine.database.asTenant(refusal.tenantId, (tx) =>
    noteRefusal(tx, {
      tenant_id: refusal.tenantId,
      minute: minuteOf(engine.clock().getTime()),
      key_id: refusal.keyId,
      code: refusal.code,
      route: refusal.route,
      first_request_id: refusal.requestId,
    }),
  )
}

/** Writes the entries of minutes that are over; with `all`, of the running one too. */
export async function recordRefusals(engine: Engine, all = false): Promise<void> {
  const now = engine.clock()
  const before = minuteOf(now.getTime() + (all ? minuteMs : 0))
  const domains = await engine.database.asWorker([], readDomains, { access: 'read only' })
  const ids = domains.map((domain) => domain.tenant_id)
  const refusing = await engine.database.asWorker(ids, (tx) => readRefusingDomains(tx, ids, before), {
    access: 'read only',
  })
  for (const tenantId of refusing) {
    const domain = domains.find((candidate) => candidate.tenant_id === tenantId)!
    await engine.database.asTenant(tenantId, async (tx) => {
      const rows = await takeRefusals(tx, tenantId, before)
      const entries = rows.map((row) => entryOf(row, now))
      await appendEntries(tx, tenantId, domain.reseller_id, now.toISOString(), entries)
    })
    await sequenceLedger(engine.database, tenantId, now.toISOString())
  }
}

function entryOf(row: RefusalRow, now: Date) {
  const id = mintId('receipt', now.getTime(), randomBytes(10)) as ReceiptId
  return controlEntry(id, 'control.credential.refuse', {
    tenantId: row.tenant_id,
    person: `key:${row.key_id}`,
    at: row.minute,
    details: {
      key_id: row.key_id,
      code: row.code.toLowerCase(),
      route: row.route,
      count: row.count,
      first_request_id: row.first_request_id,
    },
  })
}

function minuteOf(ms: number): string {
  return new Date(Math.floor(ms / minuteMs) * minuteMs).toISOString()
}
