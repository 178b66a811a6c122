import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

const draw = `
insert into fibric.ingest_meter as m (tenant_id, reseller_id, meter, began_at, drawn)
select d.tenant_id, d.reseller_id, $2, $3, $4
  from fibric.domain d
 where d.tenant_id = $1
    on conflict (tenant_id, meter) do update
   set began_at = greatest(m.began_at, excluded.began_at),
       drawn = case when m.began_at >= excluded.began_at then m.drawn + excluded.drawn else excluded.drawn end
returning drawn`

/** Draws `wanted` events from a meter's window that began at an instant; answers how many had been drawn with them. */
export async function drawEvents(
  tx: Transaction,
  tenant: TenantId,
  meter: string,
  beganAt: string,
  wanted: number,
): Promise<number> {
  const rows = await tx.query<{ drawn: number }>(draw, [tenant, meter, beganAt, wanted])
  return rows[0]?.drawn ?? wanted
}
