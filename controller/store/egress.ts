import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface GatePlace {
  readonly tenantId: TenantId
  readonly host: string
}

// The database's clock on both sides: replicas whose clocks differ still agree how long a host is left alone.
const selectClosed = `
select g.tenant_id, g.host, ceil(extract(epoch from g.closed_until - clock_timestamp()) * 1000)::integer as remaining_ms
  from unnest($1::text[], $2::text[]) as w (tenant_id, host)
  join fibric.egress_gate g on g.tenant_id = w.tenant_id and g.host = w.host
 where g.closed_until > clock_timestamp()`

/** The hosts among these that asked to be left alone, and for how much longer. */
export function readClosedGates(
  tx: Transaction,
  places: readonly GatePlace[],
): Promise<{ readonly tenant_id: TenantId; readonly host: string; readonly remaining_ms: number }[]> {
  return tx.query(selectClosed, [places.map(({ tenantId }) => tenantId), places.map(({ host }) => host)])
}

const closeGate = `
insert into fibric.egress_gate as g (tenant_id, host, closed_until)
values ($1, $2, clock_timestamp() + make_interval(secs => $3::double precision / 1000))
    on conflict (tenant_id, host) do update
   set closed_until = greatest(g.closed_until, excluded.closed_until)`

export async function writeClosedGate(tx: Transaction, place: GatePlace, forMs: number): Promise<void> {
  await tx.query(closeGate, [place.tenantId, place.host, forMs])
}

const selectMarks = `
select tenant_id, count(*)::text || ':' || coalesce(sum(generation), 0)::text as mark
  from fibric.object
 where tenant_id = any($1)
   and kind = any($2)
 group by tenant_id`

/** Per domain a text that moves with every applied change of these kinds: generations only ever grow. */
export async function readKindMarks(
  tx: Transaction,
  tenants: readonly TenantId[],
  kinds: readonly string[],
): Promise<ReadonlyMap<TenantId, string>> {
  const rows = await tx.query<{ tenant_id: TenantId; mark: string }>(selectMarks, [tenants, kinds])
  return new Map(rows.map((row) => [row.tenant_id, row.mark]))
}
