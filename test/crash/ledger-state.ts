import { createHash } from 'node:crypto'
import { type ConnectionTarget, withConnection } from '../../controller/store/pool.ts'

/**
 * Everything that an application leaves behind, without ids and times: two histories that came to the same end have
 * equal summaries, whether one of them was killed on the way or not. Receipts are counted, so nothing may occur twice.
 */
export interface Summary {
  readonly genesis: string
  readonly domains: readonly string[]
  readonly objects: readonly string[]
  readonly contents: readonly string[]
  readonly receipts: readonly string[]
  readonly controls: readonly string[]
  readonly waiting: readonly string[]
  readonly approvals: readonly string[]
  readonly effects: readonly string[]
}

const summaries: { readonly [part in keyof Summary]: string } = {
  genesis: `select genesis_state as line from fibric.deployment`,
  domains: `select slug || ' ' || state as line from fibric.domain`,
  objects: `select d.slug || ': ' || address || ' ' || generation || ' ' || coalesce(digest, 'gone') as line
              from fibric.object o join fibric.domain d using (tenant_id)`,
  contents: `select d.slug || ': ' || digest as line from fibric.content c join fibric.domain d using (tenant_id)`,
  receipts: `select concat_ws(' ', d.slug || ':', body ->> 'entity_key', body ->> 'outcome', body #>> '{change,verb}',
                    'to generation', coalesce(body #>> '{change,generation}', 'none')) as line
               from (select tenant_id, convert_from(bytes, 'UTF8')::jsonb as body from fibric.ledger_entry where kind = 'receipt') e
               join fibric.domain d using (tenant_id)`,
  controls: `select d.slug || ': ' || kind as line from fibric.ledger_entry e join fibric.domain d using (tenant_id)
              where kind <> 'receipt'`,
  waiting: `select d.slug || ': ' || entity_key || ' ' || a.state as line from fibric.action a join fibric.domain d using (tenant_id)
             where receipt_id is null`,
  approvals: `select a.entity_key || ' ' || p.person || ' ' || p.decision as line
                from fibric.approval p join fibric.action a using (tenant_id, action_id)`,
  effects: `select concat_ws(' ', d.slug || ':', capability, dimension,
                   case when dimension = 'tenant' then 'itself' else value end,
                   (select sum((b.value ->> 'count')::int) from jsonb_each(buckets) b where jsonb_typeof(b.value) = 'object')) as line
              from fibric.effect_counter c join fibric.domain d using (tenant_id)`,
}

export async function summarise(database: ConnectionTarget): Promise<Summary> {
  return withConnection(database, 'fibric test', async (connection) => {
    const read = async (sql: string) => {
      const { rows } = await connection.prepared<{ line: string }>(sql, [])
      return rows.map(({ line }) => line).sort()
    }
    const parts = Object.entries(summaries).map(async ([part, sql]) => [part, await read(sql)] as const)
    const summary = Object.fromEntries(await Promise.all(parts)) as { [part in keyof Summary]: string[] }
    return { ...summary, genesis: summary.genesis.join() }
  })
}

/** What must hold of every database at rest, each with a query that finds offenders. */
const faults: { readonly [fault: string]: string } = {
  'an action has not exactly one receipt, or an open one has any': `
    select a.action_id || ' ' || a.state || ': ' || count(e.entry_id) as line
      from fibric.action a
      left join fibric.ledger_entry e on e.tenant_id = a.tenant_id and e.kind = 'receipt'
       and convert_from(e.bytes, 'UTF8')::jsonb ->> 'action_id' = a.action_id
     group by a.tenant_id, a.action_id, a.state, a.receipt_id
    having count(e.entry_id) <> case when a.receipt_id is null then 0 else 1 end
        or (a.receipt_id is not null and min(e.entry_id) <> a.receipt_id)`,
  'a receipt belongs to no action': `
    select entry_id as line from fibric.ledger_entry e
     where kind = 'receipt'
       and not exists (select from fibric.action a where a.tenant_id = e.tenant_id and a.receipt_id = e.entry_id)`,
  'a change was carried out twice': `
    select address || ' ' || generation || ': ' || count(*) as line from fibric.ledger_entry
     where address is not null group by tenant_id, address, generation having count(*) > 1`,
  'generations of an address leave a gap': `
    select e.address || ' ' || e.generation as line from fibric.ledger_entry e
     where e.address is not null and e.generation > 1
       and not exists (select from fibric.ledger_entry p where p.tenant_id = e.tenant_id
                        and (p.address = e.address or p.address = (select v.vacates from fibric.ledger_entry v
                                                                    where v.entry_id = e.entry_id and v.tenant_id = e.tenant_id))
                        and p.generation = e.generation - 1)`,
  'an object is not what its last receipt says': `
    select o.address as line from fibric.object o
      left join lateral (select * from fibric.ledger_entry e where e.tenant_id = o.tenant_id
                          and (e.address = o.address or e.vacates = o.address) order by e.generation desc limit 1) last on true
     where last.entry_id is distinct from o.receipt_id or last.generation is distinct from o.generation
        or (last.address = o.address and o.digest is distinct from
            convert_from(last.bytes, 'UTF8')::jsonb #>> '{change,digest_after}')`,
  'something applied has no object': `
    select e.address as line from fibric.ledger_entry e
     where e.address is not null
       and not exists (select from fibric.object o where o.tenant_id = e.tenant_id and o.address = e.address)`,
  'an object or a waiting change has no content': `
    select w.digest as line
      from (select tenant_id, digest from fibric.object where digest is not null
             union select tenant_id, change ->> 'digest_after' from fibric.action where receipt_id is null) w
     where w.digest is not null
       and not exists (select from fibric.content c where c.tenant_id = w.tenant_id and c.digest = w.digest)`,
  'an execution plan has no action': `
    select plan_id as line from fibric.execution_plan p
     where not exists (select from fibric.action a where a.tenant_id = p.tenant_id and a.plan_id = p.plan_id)`,
  'a domain and its Tenant disagree': `
    select d.slug || ' ' || d.state as line from fibric.domain d
     where d.slug <> '_platform'
       and (d.state = 'active') <> exists (select from fibric.object o where o.tenant_id = 't_platform'
                                            and o.address = d.slug || '/Tenant/' || d.slug and o.digest is not null)`,
  'there is not one deployment with one signing key': `
    select 'deployments and keys' as line
     where (select count(*) from fibric.deployment) <> 1 or (select count(*) from fibric.sealed_key) <> 1`,
  'an entry has no position': `
    select entry_id as line from fibric.ledger_entry e
     where not exists (select from fibric.ledger_position p where p.tenant_id = e.tenant_id and p.entry_id = e.entry_id)`,
}

/** Every rule that does not hold, with the rows that break it, and every tree whose head is not what a naive sum says. */
export async function findFaults(database: ConnectionTarget): Promise<string[]> {
  return withConnection(database, 'fibric test', async (connection) => {
    const found: string[] = []
    for (const [fault, sql] of Object.entries(faults)) {
      const { rows } = await connection.prepared<{ line: string }>(sql, [])
      found.push(...rows.map(({ line }) => `${fault}: ${line}`))
    }
    const entries = await connection.prepared<Positioned>(
      `select p.tenant_id, p.position, e.bytes, e.leaf from fibric.ledger_position p
         join fibric.ledger_entry e using (tenant_id, entry_id) order by p.tenant_id, p.position`,
      [],
    )
    const heads = await connection.prepared<{ tenant_id: string; size: number; root: Buffer }>(
      'select tenant_id, size, root from fibric.ledger_head',
      [],
    )
    const trees = new Map<string, Positioned[]>(heads.rows.map(({ tenant_id }) => [tenant_id, []]))
    for (const entry of entries.rows) trees.get(entry.tenant_id)?.push(entry)
    for (const { tenant_id, size, root } of heads.rows) {
      const tree = trees.get(tenant_id)!
      const dense = tree.every(({ position }, index) => position === index) && tree.length === size
      if (!dense) found.push(`positions of ${tenant_id} are not 0 to ${size - 1}`)
      if (tree.some(({ bytes, leaf }) => !sha256(Buffer.of(0), bytes).equals(leaf))) {
        found.push(`a leaf of ${tenant_id} is not the hash of its entry`)
      }
      if (!naiveRoot(tree.map(({ leaf }) => leaf)).equals(root)) found.push(`the root of ${tenant_id} is another`)
    }
    return found
  })
}

interface Positioned {
  readonly tenant_id: string
  readonly position: number
  readonly bytes: Buffer
  readonly leaf: Buffer
}

/** RFC 6962 2.1 as it is written: the largest power of two below the size goes left. */
export function naiveRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return leaves[0]!
  let left = 1
  while (left * 2 < leaves.length) left *= 2
  return sha256(Buffer.of(1), naiveRoot(leaves.slice(0, left)), naiveRoot(leaves.slice(left)))
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
