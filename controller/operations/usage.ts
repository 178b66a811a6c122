import { FibricError } from '../domain/errors.ts'
import { mintId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { readUsage, type UsageRow } from '../store/usage.ts'
import { requireScope } from '../tenancy/actor.ts'
import { visibleDomains } from './domains.ts'

const usualMs = 30 * 24 * 60 * 60 * 1000
/** A year and a day: more is for an export. */
const spanMsMax = 367 * 24 * 60 * 60 * 1000

/** What a tenant used between two instants; the last 30 days unless said. */
export async function readTenantUsage(engine: Engine, slug: string, since: string | null, until: string | null) {
  requireScope(engine.actor, 'config:read')
  const [domain] = await visibleDomains(engine, slug)
  const end = until === null ? engine.clock().getTime() : instantOf(until)
  const begin = since === null ? end - usualMs : instantOf(since)
  if (begin >= end || end - begin > spanMsMax) {
    throw new FibricError(
      'INVALID_PARAMETER',
      'the span has to begin before it ends, and to be no longer than a year',
      {
        hint: 'since=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z',
      },
    )
  }
  const tenantId = domain!.tenant_id
  const from = new Date(begin).toISOString()
  const to = new Date(end).toISOString()
  const edge = (kind: 'run' | 'action' | 'receipt', at: number) => mintId(kind, Math.max(0, at), Buffer.alloc(10, 0))
  const rows = await engine.database.asWorker(
    [tenantId],
    (tx) => readUsage(tx, tenantId, from, to, (kind) => [edge(kind, begin), edge(kind, end)]),
    { access: 'read only' },
  )
  return {
    object: 'usage' as const,
    tenant: domain!.slug,
    since: from,
    until: to,
    events: totalOf(rows, 'events'),
    runs: byKind(rows, 'runs'),
    actions: byKind(rows, 'actions'),
    receipts: rows.find(({ what, kind }) => what === 'receipts' && kind === 'receipt')?.count ?? 0,
    ledger_entries: totalOf(rows, 'receipts'),
  }
}

function totalOf(rows: readonly UsageRow[], wanted: UsageRow['what']): number {
  return rows.filter(({ what }) => what === wanted).reduce((sum, { count }) => sum + count, 0)
}

function byKind(rows: readonly UsageRow[], wanted: UsageRow['what']): { readonly [kind: string]: number } {
  const kinds = rows.filter(({ what }) => what === wanted).map(({ kind, count }) => [kind ?? '', count] as const)
  return Object.fromEntries([['total', totalOf(rows, wanted)], ...kinds])
}

/** Between the epoch and the year 9999: what ids can be made of. */
function instantOf(text: string): number {
  const at = Date.parse(text)
  if (!Number.isNaN(at) && at >= 0 && at <= 253_402_300_799_999) return at
  throw new FibricError('INVALID_PARAMETER', `\`${text.slice(0, 60)}\` is no instant`, {
    hint: 'write it like 2026-11-01T00:00:00Z',
  })
}
