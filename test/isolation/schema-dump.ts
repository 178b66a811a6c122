import type { Connection } from '../../controller/store/pool.ts'

/**
 * The schema `fibric` as SQL, from the catalog: sorted, without owners, and with nothing in it that differs between two
 * databases of the same migrations. For reading in a diff, not for restoring.
 */
export async function dumpSchema(connection: Connection): Promise<string> {
  const rows = async <Row>(sql: string) => (await connection.prepared<Row>(sql, [])).rows
  const tables = (await rows<{ name: string }>(tableNames)).map(({ name }) => name)
  const [columns, constraints, indexes, policies, grants] = await Promise.all(
    [columnLines, constraintLines, indexLines, policyLines, grantLines].map((sql) => rows<Line>(sql)),
  )
  const of = (lines: readonly Line[] | undefined, name: string) =>
    (lines ?? []).filter((line) => line.name === name).map(({ line }) => line)
  const blocks = tables.map((name) => {
    const body = [...of(columns, name), ...of(constraints, name)].map((line) => `  ${line}`).join(',\n')
    const after = [...of(indexes, name), ...of(policies, name), ...of(grants, name)]
    return [`create table fibric.${name} (\n${body}\n);`, ...after.map((line) => `${line};`)].join('\n')
  })
  const routines = (await rows<Line>(routineLines)).map(({ line }) => line)
  const schema = (await rows<Line>(schemaLines)).map(({ line }) => `${line};`)
  return `${[schema.join('\n'), ...blocks, ...routines].join('\n\n')}\n`
}

interface Line {
  readonly name: string
  readonly line: string
}

const ofSchema = `c.relnamespace = 'fibric'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')`

const tableNames = `select c.relname as name from pg_class c where ${ofSchema} order by 1`

const columnLines = `
select c.relname as name,
       concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),
                 case when a.attidentity = 'a' then 'generated always as identity' end,
                 case when a.attnotnull then 'not null' end,
                 'default ' || pg_get_expr(d.adbin, d.adrelid)) as line
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
 where ${ofSchema}
 order by c.relname, a.attnum`

// Constraints that only say NOT NULL stand with their column, and have names that a version of PostgreSQL gave them.
const constraintLines = `
select c.relname as name, format('constraint %s %s', k.conname, pg_get_constraintdef(k.oid)) as line
  from pg_constraint k
  join pg_class c on c.oid = k.conrelid
 where ${ofSchema} and k.contype <> 'n'
 order by c.relname, k.contype <> 'p', k.conname`

const indexLines = `
select c.relname as name, pg_get_indexdef(x.indexrelid) as line
  from pg_index x
  join pg_class c on c.oid = x.indrelid
  join pg_class i on i.oid = x.indexrelid
 where ${ofSchema} and not exists (select from pg_constraint k where k.conindid = x.indexrelid and k.contype in ('p', 'u'))
 order by c.relname, i.relname`

const policyLines = `
select c.relname as name, 'alter table fibric.' || c.relname || ' enable row level security' as line, 0 as rank
  from pg_class c where ${ofSchema} and c.relrowsecurity
union all
select c.relname, 'alter table fibric.' || c.relname || ' force row level security', 1
  from pg_class c where ${ofSchema} and c.relforcerowsecurity
union all
select p.tablename,
       concat_ws(E'\\n  ', format('create policy %s on fibric.%s%s for %s to %s', p.policyname, p.tablename,
         case when p.permissive = 'PERMISSIVE' then '' else ' as restrictive' end, lower(p.cmd), array_to_string(p.roles, ', ')),
         'using (' || regexp_replace(p.qual, '\\s+', ' ', 'g') || ')',
         'with check (' || regexp_replace(p.with_check, '\\s+', ' ', 'g') || ')'), 2
  from pg_policies p where p.schemaname = 'fibric'
 order by 1, 3, 2`

const grantLines = `
select c.relname as name,
       format('grant %s on fibric.%s to %s', string_agg(lower(x.privilege_type), ', ' order by x.privilege_type), c.relname,
              coalesce(r.rolname, 'public')) as line
  from pg_class c
 cross join lateral aclexplode(c.relacl) x
  left join pg_roles r on r.oid = x.grantee
 where ${ofSchema} and x.grantee <> c.relowner
 group by c.relname, r.rolname
 order by 1, 2`

const routineLines = `
select p.proname as name, pg_get_functiondef(p.oid) || ';' as line
  from pg_proc p where p.pronamespace = 'fibric'::regnamespace order by p.proname`

// The logins carry the name of a deployment, so they are told by their role.
const schemaLines = `
select 'schema' as name,
       format('grant %s on schema fibric to %s', lower(x.privilege_type),
              regexp_replace(coalesce(r.rolname, 'public'), '^(fibric_(app|worker))_.*', '\\1_<deployment>')) as line
  from pg_namespace n cross join lateral aclexplode(n.nspacl) x left join pg_roles r on r.oid = x.grantee
 where n.nspname = 'fibric' and x.grantee <> n.nspowner
 order by 2`
