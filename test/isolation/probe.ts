import { sqlStateOf } from '../../controller/store/database-error.ts'
import { type Connection, type ConnectionTarget, withConnection } from '../../controller/store/pool.ts'
import { type ApplicationRole, applicationRoles, derivedLogins, targetFor } from '../../controller/store/roles.ts'
import { testRootKey } from '../support/database.ts'
import { exceptions, granted, partitions, sharedKinds, type Verb, verbs } from './expected.ts'

export const tenants = ['t_aaa', 't_bbb', 't_platform'] as const
type Context = (typeof tenants)[number] | null
const contexts: readonly Context[] = [null, ...tenants]

/** One row of every table for each tenant, and of `_platform` one of a kind it shares and one of a kind it does not. */
export async function fillTables(superuser: ConnectionTarget): Promise<void> {
  await withConnection(superuser, 'fibric test', async (connection) => {
    for (const name of Object.keys(granted)) {
      // Constraints say what a row means and how often it may be there; here only whose it is matters.
      for (const { drop } of (await connection.prepared<{ drop: string }>(constraintsOf, [name])).rows) {
        await connection.simple(drop)
      }
      await connection.simple(`delete from fibric.${name}`)
      const columns = (await connection.prepared<Column>(columnsOf, [name])).rows
      for (const tenant of tenants) await connection.simple(insertion(name, columns, tenant, 'User', 'seen'))
      if (!columns.some((column) => column.name === 'kind')) continue
      await connection.simple(insertion(name, columns, 't_platform', 'TrustPolicy', 'shared'))
    }
  })
}

/**
 * Tries every verb on every table, as both logins, in no context and in each tenant's, and answers where it was let
 * through and should not have been, or the other way round.
 */
export async function probe(owner: ConnectionTarget, superuser: ConnectionTarget): Promise<string[]> {
  const columns = await withConnection(superuser, 'fibric test', async (connection) => {
    const entries = [...Object.keys(granted), ...Object.keys(partitions)].map(
      async (name) => [name, (await connection.prepared<Column>(columnsOf, [name])).rows] as const,
    )
    return new Map(await Promise.all(entries))
  })
  const deviations: string[] = []
  for (const login of derivedLogins(testRootKey)) {
    await withConnection(targetFor(login, owner), 'fibric test', async (connection) => {
      for (const [name, own] of columns) {
        for (const context of contexts) {
          for (const verb of verbs) {
            // Reached through its parent; directly by nobody.
            if (name in partitions) {
              const opened = await isOpen(connection, login.role, context, verb, name, own)
              if (opened) deviations.push(`${login.role} in ${context}: may ${verb} the partition \`${name}\``)
              continue
            }
            const place = `${login.role} in ${context ?? 'no context'}: ${verb} \`${name}\``
            const found = await reachOf(connection, login.role, context, verb, name, own)
            const wanted = expectedReach(login.role, context, verb, name, own)
            if (found !== wanted) deviations.push(`${place} reaches ${found}, and should reach ${wanted}`)
          }
          if (name in granted && (await movesAway(connection, login.role, context, name))) {
            deviations.push(`${login.role} in ${context}: moves its rows of \`${name}\` to another tenant`)
          }
        }
      }
    })
  }
  return deviations
}

interface Column {
  readonly name: string
  readonly type: string
}

const columnsOf = `
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type
  from pg_attribute a
 where a.attrelid = ('fibric.' || $1::text)::regclass and a.attnum > 0 and not a.attisdropped and a.attidentity = ''
 order by a.attnum`

const constraintsOf = `
select format('alter table fibric.%I drop constraint %I cascade', c.relname, k.conname) as drop
  from pg_constraint k join pg_class c on c.oid = k.conrelid
 where k.conrelid = ('fibric.' || $1::text)::regclass and k.contype in ('c', 'f', 'p', 'u')`

/** Whose rows a verb touches, as a sorted list of tenants; `shared` stands for the row of a shared kind. */
async function reachOf(
  connection: Connection,
  role: ApplicationRole,
  context: Context,
  verb: Verb,
  name: string,
  columns: readonly Column[],
): Promise<string> {
  if (verb === 'insert') {
    const reached: string[] = []
    for (const tenant of tenants) {
      const sql = insertion(name, columns, tenant, 'User', 'new')
      if ((await tried(connection, role, context, sql)) !== null) reached.push(tenant)
      if (!columns.some((column) => column.name === 'kind')) continue
      const shared = insertion(name, columns, tenant, 'TrustPolicy', 'new')
      if ((await tried(connection, role, context, shared)) !== null) reached.push(`${tenant} shared`)
    }
    return reached.sort().join(', ') || 'nothing'
  }
  const hasKind = columns.some((column) => column.name === 'kind')
  const kind = hasKind
    ? `case when kind in (${sharedKinds.map((shared) => `'${shared}'`)}) then ' shared' else '' end`
    : `''`
  const what = `tenant_id || ${kind} as who`
  const sql = {
    select: `select ${what} from fibric.${name}`,
    update: `update fibric.${name} set reseller_id = 'changed' returning ${what}`,
    delete: `delete from fibric.${name} returning ${what}`,
  }[verb]
  const rows = (await tried(connection, role, context, sql)) ?? []
  return (
    rows
      .map(({ who }) => who)
      .sort()
      .join(', ') || 'nothing'
  )
}

/** Whether the database lets a verb be tried at all, whatever it would reach. */
async function isOpen(
  connection: Connection,
  role: ApplicationRole,
  context: Context,
  verb: Verb,
  name: string,
  columns: readonly Column[],
): Promise<boolean> {
  const sql = {
    select: `select from fibric.${name}`,
    insert: insertion(name, columns, context ?? 't_aaa', 'User', 'new'),
    update: `update fibric.${name} set reseller_id = 'changed'`,
    delete: `delete from fibric.${name}`,
  }[verb]
  return (await tried(connection, role, context, sql)) !== null
}

/** What the design says a verb reaches. */
function expectedReach(
  role: ApplicationRole,
  context: Context,
  verb: Verb,
  name: string,
  columns: readonly Column[],
): string {
  if (!granted[name]![role].split(' ').includes(verb)) return 'nothing'
  const hasKind = columns.some((column) => column.name === 'kind')
  const isLedger = name.startsWith('ledger_')
  const all = (tenant: string): string[] => {
    if (verb === 'insert') return hasKind ? [tenant, `${tenant} shared`] : [tenant]
    return hasKind && tenant === 't_platform' ? [tenant, `${tenant} shared`] : [tenant]
  }
  const everywhere = role === 'fibric_worker' && exceptions.workerSeesAndWritesAll.includes(name)
  const learns = role === 'fibric_worker' && verb === 'select' && exceptions.workerSeesAll.includes(name)
  const overview = role === 'fibric_app' && context === 't_platform' && verb === 'select'
  if (everywhere || learns || (overview && exceptions.platformSeesAll.includes(name)))
    return tenants.flatMap(all).sort().join(', ')
  if (context === null) return 'nothing'
  const reached = new Set(all(context))
  if (verb === 'select' && hasKind && !isLedger) reached.add('t_platform shared')
  if (verb === 'select' && exceptions.sharedWhole.includes(name)) for (const tenant of tenants) reached.add(tenant)
  return [...reached].sort().join(', ')
}

async function movesAway(
  connection: Connection,
  role: ApplicationRole,
  context: Context,
  name: string,
): Promise<boolean> {
  const isFree = role === 'fibric_worker' && exceptions.workerSeesAndWritesAll.includes(name)
  if (context === null || isFree || !granted[name]![role].includes('update')) return false
  const sql = `update fibric.${name} set tenant_id = 't_ccc' where tenant_id = '${context}' returning tenant_id as who`
  const moved = await tried(connection, role, context, sql)
  return moved !== null && moved.length > 0
}

/** Runs a statement in a context and takes it back. Null: refused for want of a right. */
async function tried(
  connection: Connection,
  role: ApplicationRole,
  context: Context,
  sql: string,
): Promise<{ who: string }[] | null> {
  const setting = role === applicationRoles[0] ? 'fibric.tenant_id' : 'fibric.tenant_ids'
  await connection.simple(context === null ? 'begin' : `begin; set local ${setting} = '${context}'`)
  try {
    return (await connection.simple(sql)).rows as { who: string }[]
  } catch (error) {
    if (sqlStateOf(error) === '42501') return null
    throw error
  } finally {
    await connection.simple('rollback')
  }
}

function insertion(name: string, columns: readonly Column[], tenant: string, kind: string, mark: string): string {
  const values = columns.map((column) => valueFor(column, tenant, kind, mark))
  return `insert into fibric.${name} (${columns.map((column) => column.name)}) values (${values})`
}

/** A value of the column's type that no other row has, where that matters. */
function valueFor({ name, type }: Column, tenant: string, kind: string, mark: string): string {
  if (name === 'tenant_id') return `'${tenant}'`
  if (name === 'kind') return `'${kind}'`
  const known = values[type]
  if (known === undefined) throw new Error(`there is no value for the type ${type} of ${name}`)
  return known(`${tenant} ${kind} ${mark} ${name}`)
}

const values: { readonly [type: string]: (text: string) => string } = {
  text: (text) => `'${text}'`,
  'text[]': () => `'{}'`,
  jsonb: () => `'{}'`,
  bytea: (text) => `'${text}'::bytea`,
  'bytea[]': () => `'{}'`,
  bigint: (text) => String([...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1_000_000_007, 7)),
  integer: () => '1',
  smallint: () => '1',
  numeric: () => '1',
  boolean: () => 'false',
  'timestamp with time zone': () => 'now()',
  xid8: () => `'1'`,
  pg_snapshot: () => `'1:1:'`,
}
