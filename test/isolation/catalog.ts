import type { Connection } from '../../controller/store/pool.ts'
import { applicationRoles } from '../../controller/store/roles.ts'
import { crossDomainIndexes, exceptions, granted, infrastructure, workerMayCall } from './expected.ts'

/** Everything in the catalog that makes a hole in the wall, each in words. Empty: the wall stands. */
export async function findHoles(connection: Connection): Promise<string[]> {
  const rows = async <Row>(sql: string) => (await connection.prepared<Row>(sql, [])).rows
  return [
    ...tableHoles(await rows<TableRow>(tables)),
    ...grantHoles(await rows<GrantRow>(grants)),
    ...policyHoles(await rows<PolicyRow>(policies)),
    ...keyHoles(await rows<IndexRow>(indexes), await rows<ForeignKeyRow>(foreignKeys)),
    ...(await rows<{ hole: string }>(otherHoles)).map(({ hole }) => hole),
  ]
}

interface TableRow {
  readonly name: string
  readonly enabled: boolean
  readonly forced: boolean
  readonly columns: readonly string[]
}

const tables = `
select c.relname as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
       array(select a.attname::text || case when a.attnotnull then '' else '?' end from pg_attribute a
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
  from pg_class c
 where c.relnamespace = 'fibric'::regnamespace and c.relkind in ('r', 'p', 'f')
 order by c.relname`

function tableHoles(found: readonly TableRow[]): string[] {
  const names = found.map(({ name }) => name)
  const missing = [...Object.keys(granted), ...Object.keys(infrastructure)].filter((name) => !names.includes(name))
  return [
    ...missing.map((name) => `\`${name}\` is listed and not there`),
    ...found.flatMap(({ name, enabled, forced, columns }) => {
      if (name in infrastructure) return []
      if (!(name in granted)) return [`\`${name}\` is a table that nobody listed`]
      return [
        ...(enabled ? [] : [`\`${name}\` has no row security`]),
        ...(forced ? [] : [`\`${name}\` does not bind its owner to row security`]),
        ...(columns.includes('tenant_id') ? [] : [`\`${name}\` has no tenant_id that is never null`]),
        ...(columns.includes('reseller_id?') ? [] : [`\`${name}\` has no reseller_id that may be null`]),
      ]
    }),
  ]
}

interface GrantRow {
  readonly name: string
  readonly grantee: string
  readonly verbs: string
}

const grants = `
select c.relname as name, coalesce(r.rolname, 'public') as grantee,
       string_agg(distinct lower(x.privilege_type), ' ' order by lower(x.privilege_type)) as verbs
  from pg_class c
 cross join lateral (select * from aclexplode(c.relacl)
                     union all
                     select x.* from pg_attribute a, aclexplode(a.attacl) x where a.attrelid = c.oid) x
  left join pg_roles r on r.oid = x.grantee
 where c.relnamespace = 'fibric'::regnamespace and c.relkind <> 'S' and x.grantee <> c.relowner
 group by 1, 2
 order by 1, 2`

function grantHoles(found: readonly GrantRow[]): string[] {
  const given = new Map(found.map(({ name, grantee, verbs }) => [`${name} ${grantee}`, verbs]))
  const strangers = found.filter(({ grantee }) => !applicationRoles.some((role) => role === grantee))
  const wanted = new Map<string, string>()
  for (const [name, roles] of Object.entries(granted)) {
    for (const role of applicationRoles) wanted.set(`${name} ${role}`, roles[role])
  }
  for (const name of Object.keys(infrastructure)) {
    for (const role of applicationRoles) wanted.set(`${name} ${role}`, 'select')
  }
  return [
    ...strangers.map(({ name, grantee, verbs }) => `\`${grantee}\` may ${verbs} \`${name}\``),
    ...[...new Set([...given.keys(), ...wanted.keys()])].flatMap((key) => {
      const [name, role] = key.split(' ')
      if (!applicationRoles.some((known) => known === role)) return []
      const [has, listed] = [given.get(key) ?? '', wanted.get(key) ?? '']
      return has === listed ? [] : [`\`${role}\` may \`${has}\` \`${name}\`, and the list says \`${listed}\``]
    }),
  ]
}

interface PolicyRow {
  readonly name: string
  readonly policy: string
  readonly roles: readonly string[]
  readonly command: string
  readonly permissive: boolean
  readonly using: string | null
  readonly check: string | null
}

const policies = `
select tablename as name, policyname as policy, roles::text[] as roles, lower(cmd) as command,
       permissive = 'PERMISSIVE' as permissive, qual as using, with_check as "check"
  from pg_policies
 where schemaname = 'fibric'
 order by 1, 2`

const contextSettings = { fibric_app: 'fibric.tenant_id', fibric_worker: 'fibric.tenant_ids' } as const

function policyHoles(found: readonly PolicyRow[]): string[] {
  const holes: string[] = []
  for (const { name, policy, roles, command, using, check } of found) {
    const label = `policy \`${policy}\` of \`${name}\``
    if (roles.some((role) => !applicationRoles.some((known) => known === role))) holes.push(`${label} names ${roles}`)
    const writes = command !== 'select'
    const bound = roles.every((role) => using?.includes(`'${contextSettings[role as keyof typeof contextSettings]}'`))
    const seen = command === 'select' && exceptions.workerSeesAll.includes(name)
    const free = roles.includes('fibric_worker') && (seen || exceptions.workerSeesAndWritesAll.includes(name))
    if (!bound && !free) holes.push(`${label} does not look at the context: ${using}`)
    if (writes && check !== null && check !== using) holes.push(`${label} checks another rule than it reads by`)
  }
  for (const [name, roles] of Object.entries(granted)) {
    for (const role of applicationRoles) {
      const own = found.filter((policy) => policy.name === name && policy.roles.includes(role))
      for (const verb of roles[role].split(' ').filter((given) => given !== '')) {
        const covered = own.some(({ command, permissive }) => permissive && (command === 'all' || command === verb))
        if (!covered) holes.push(`\`${role}\` may ${verb} \`${name}\` and no policy says which rows`)
      }
    }
  }
  return holes
}

interface IndexRow {
  readonly name: string
  readonly index: string
  readonly isPrimary: boolean
  readonly columns: readonly string[]
}

const indexes = `
select t.relname as name, i.relname as index, x.indisprimary as "isPrimary",
       array(select coalesce(a.attname::text, 'expression') from unnest(x.indkey) with ordinality k (attnum, position)
               left join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum and k.attnum > 0
              order by k.position) as columns
  from pg_index x
  join pg_class t on t.oid = x.indrelid
  join pg_class i on i.oid = x.indexrelid
 where t.relnamespace = 'fibric'::regnamespace
 order by 1, 2`

interface ForeignKeyRow {
  readonly name: string
  readonly key: string
  readonly columns: readonly string[]
}

const foreignKeys = `
select c.conrelid::regclass::text as name, c.conname as key,
       array(select a.attname::text from unnest(c.conkey) k join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k) as columns
  from pg_constraint c
 where c.contype = 'f' and c.connamespace = 'fibric'::regnamespace`

function keyHoles(found: readonly IndexRow[], keys: readonly ForeignKeyRow[]): string[] {
  const listed = found.filter(({ name }) => !(name in infrastructure))
  const unkeyed = Object.keys(granted).filter((name) => !listed.some((index) => index.name === name && index.isPrimary))
  return [
    ...unkeyed.map((name) => `\`${name}\` has no primary key`),
    ...listed
      .filter(({ index, columns }) => columns[0] !== 'tenant_id' && !(index in crossDomainIndexes))
      .map(({ name, index, columns }) => `index \`${index}\` of \`${name}\` leads with \`${columns[0]}\``),
    ...keys
      .filter(({ columns }) => columns[0] !== 'tenant_id')
      .map(({ name, key }) => `foreign key \`${key}\` of \`${name}\` does not lead with tenant_id`),
  ]
}

// Views run with their owner's powers unless told otherwise, functions with their caller's: both ways round a wall.
const otherHoles = `
select format('view \`%s\` runs with the powers of its owner', c.relname) as hole
  from pg_class c
 where c.relnamespace = 'fibric'::regnamespace and c.relkind = 'v'
   and not coalesce(c.reloptions @> '{security_invoker=true}', false)
union all
select format('\`%s\` is a materialised view: it has no row security', c.relname) from pg_class c
 where c.relnamespace = 'fibric'::regnamespace and c.relkind = 'm'
union all
select format('\`%s\` runs with the powers of its owner', p.proname) from pg_proc p
 where p.pronamespace = 'fibric'::regnamespace and p.prosecdef
union all
select format('\`%s\` may be called by anybody', p.proname) from pg_proc p
 where p.pronamespace = 'fibric'::regnamespace
   and (p.proacl is null or exists (
         select from aclexplode(p.proacl) x left join pg_roles r on r.oid = x.grantee
          where x.grantee <> p.proowner
            and not (r.rolname = 'fibric_worker' and p.proname in (${Object.keys(workerMayCall).map((name) => `'${name}'`)}))))
union all
select format('sequence \`%s\` gives more than its next value, or to others than the worker', c.relname)
  from pg_class c, aclexplode(c.relacl) x left join pg_roles r on r.oid = x.grantee
 where c.relnamespace = 'fibric'::regnamespace and c.relkind = 'S' and x.grantee <> c.relowner
   and (r.rolname is distinct from 'fibric_worker' or x.privilege_type <> 'USAGE')
union all
select 'the schema is open to everybody' from pg_namespace n, aclexplode(n.nspacl) x
 where n.nspname = 'fibric' and x.grantee = 0
union all
select format('\`%s\` may create in the schema', r.rolname) from pg_namespace n, aclexplode(n.nspacl) x
  join pg_roles r on r.oid = x.grantee
 where n.nspname = 'fibric' and x.privilege_type = 'CREATE' and x.grantee <> n.nspowner
union all
select format('a rule or trigger of \`%s\` runs beside its policies', c.relname) from pg_class c
 where c.relnamespace = 'fibric'::regnamespace and (c.relhasrules or exists (
         select from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal)) and c.relkind <> 'v'
union all
select format('login \`%s\` is bound by no policy', r.rolname) from pg_roles r
 where r.rolname like 'fibric\\_%' and (r.rolsuper or r.rolbypassrls)
union all
select format('\`%s\` belongs to an application login', c.relname) from pg_class c join pg_roles r on r.oid = c.relowner
 where c.relnamespace = 'fibric'::regnamespace and r.rolname like any (array['fibric\\_app%', 'fibric\\_worker%'])`
