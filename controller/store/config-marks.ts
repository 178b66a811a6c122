import type { TenantId } from '../domain/ids.ts'
import type { Database } from './connect.ts'
import type { Transaction } from './tenancy.ts'

const moveMark = `
insert into fibric.config_mark as m (tenant_id, reseller_id)
select d.tenant_id, d.reseller_id
  from fibric.domain d
 where d.tenant_id = $1
    on conflict (tenant_id) do update set moves = m.moves + 1`

/** Something of a domain is applied or switched by this transaction. Its last statement: until it ends, others wait here. */
export async function moveConfigMark(tx: Transaction, tenant: TenantId): Promise<void> {
  await tx.execute(moveMark, [tenant])
}

const selectMark = `select count(*) || ':' || coalesce(sum(moves), 0) as mark from fibric.config_mark`

/**
 * A text that is another one once something was applied in any domain, or switched by a person; no context is needed. It is
 * made of what is committed, so whatever was read after it is as new as it, or newer.
 */
async function readConfigMark(tx: Transaction): Promise<string> {
  const [row] = await tx.query<{ mark: string }>(selectMark)
  return row!.mark
}

/**
 * What `read` answers, read again only once something was applied or switched: at rest it costs one small question, which
 * whoever asks within `maxAgeMs` shares.
 */
export function readOnceMoved<Value>(
  database: Database,
  read: () => Promise<Value>,
  maxAgeMs = 0,
): () => Promise<Value> {
  let known: { readonly mark: string; readonly value: Value } | null = null
  return async () => {
    const mark = await askMark(database, maxAgeMs)
    if (known?.mark !== mark) known = { mark, value: await read() }
    return known.value
  }
}

const answers = new WeakMap<Database, { readonly atMs: number; readonly mark: Promise<string> }>()

/** The mark as it was at most `maxAgeMs` ago. */
export function askMark(database: Database, maxAgeMs: number): Promise<string> {
  const known = answers.get(database)
  if (known && performance.now() - known.atMs < maxAgeMs) return known.mark
  const mark = database.asWorker([], readConfigMark, { access: 'read only', oneTrip: true })
  answers.set(database, { atMs: performance.now(), mark })
  // A failure is told to those who share it, and to nobody later.
  mark.catch(() => answers.delete(database))
  return mark
}
