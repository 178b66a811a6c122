import type { Connection } from '../../controller/store/pool.ts'
import { applicationRoles } from '../../controller/store/roles.ts'
import {
  crossDomainIndexes,
  exceptions,
  functions,
  granted,
  infrastructure,
  partitions,
  sequences,
  weekly,
} from './expected.ts'

/** Everything in the catalog that makes a hole in the wall, each in words. Empty: the wall stands. */
export async function findHoles(connection: Connection): Promise<string[]> {
  const rows = async <Row>(sql: string) => (await connection.prepared<Row>(sql, [])).rows
  return [
    ...tableHoles(await rows<TableRow>(tables)),
    ...grantHoles(await rows<GrantRow>(grants)),
    ...policyHoles(await rows<PolicyRow>(policies)),
    ...keyHoles(await rows<IndexRow>(indexes), await rows<ForeignKeyRow>(foreignKeys)),
    ...sequenceHoles((await rows<{ name: string }>(sequenceNames)).map(({ name }) => name)),
    ...functionHoles(await rows<FunctionRow>(functionRows)),
    ...(await rows<{ hole: string }>(otherHoles)).map(({ hole }) => hole),
  ]
}

interface TableRow {
  readonly name: string
  /** Whose partition it is. */
  readonly parent: string | null
  readonly policies: number
  readonly enabled: boolean
  readonly forced: boolean
  readonly columns: readonly string[]
}

const tables = `
select c.relname as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
       (select p.relname from pg_inherits h join pg_class p on p.oid = h.inhparent where h.inhrelid = c.oid) as parent,
       (select count(*)::int from pg_policy p where p.polrelid = c.oid) as policies,
       array(select a.attname::text || case when a.attnotnull then '' else '?' end from pg_attribute a
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
  from pg_class c
 where c.relnamespace = 'fibric'::regnamespace and c.relkind in ('r', 'p', 'f')
 order by c.relname`

function tableHoles(found: readonly TableRow[]): string[] {
  const names = found.map(({ name }) => name)
  const listed = [granted, infrastructure, partitions].flatMap((list) => Object.keys(list))
  const missing = listed.filter((name) => !names.includes(name))
  return [
    ...missing.map((name) => `\`${name}\` is listed and not there`),
    ...found.flatMap(({ name, parent, policies: count, enabled, forced, columns }) => {
      if (name in infrastructure) return []
      const isPartition = parent !== null && (partitions[name] === parent || weekly[parent]?.test(name) === true)
      if (!(name in granted) && !isPartition) return [`\`${name}\` is a table that nobody listed`]
      return [
        ...(enabled ? [] : [`\`${name}\` has no row security`]),
        ...(isPartition && count > 0 ? [`\`${name}\` is a partition that has a policy of its own`] : []),
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
 where c.relnamespace = 'fibric'::regnamespace and x.grantee <> c.relowner
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
  for (const name of Object.keys(sequences)) wanted.set(`${name} fibric_worker`, 'usage')
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
  /** The index of the parent table that this one is a part of. */
  readonly parent: string | null
  readonly isPrimary: boolean
  readonly columns: readonly string[]
}

const indexes = `
select t.relname as name, i.relname as index, x.indisprimary as "isPrimary",
       (select p.relname from pg_inherits h join pg_class p on p.oid = h.inhparent where h.inhrelid = i.oid) as parent,
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
      .filter(({ index, parent, columns }) => columns[0] !== 'tenant_id' && !((parent ?? index) in crossDomainIndexes))
      .map(({ name, index, columns }) => `index \`${index}\` of \`${name}\` leads with \`${columns[0]}\``),
    ...keys
      .filter(({ columns }) => columns[0] !== 'tenant_id')
      .map(({ name, key }) => `foreign key \`${key}\` of \`${name}\` does not lead with tenant_id`),
  ]
}

// Those behind an identity column go with its table.
const sequenceNames = `
select c.relname as name
  from pg_class c
 where c.relnamespace = 'fibric'::regnamespace and c.relkind = 'S'
   and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'i')
 order by 1`

function sequenceHoles(found: readonly string[]): string[] {
  return [
    ...Object.keys(sequences).flatMap((name) => (found.includes(name) ? [] : [`\`${name}\` is listed and not there`])),
    ...found.flatMap((name) => (name in sequences ? [] : [`\`${name}\` is a sequence that nobody listed`])),
  ]
}

interface FunctionRow {
  readonly name: string
  readonly definer: boolean
  /** It looks names up in pg_catalog and nowhere else unless they say their schema. */
  readonly pinned: boolean
  readonly callers: readonly string[]
}

const functionRows = `
select p.proname as name, p.prosecdef as definer,
       coalesce(p.proconfig @> array['search_path=pg_catalog'], false) as pinned,
       array(select coalesce(r.rolname::text, 'public')
               from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
               left join pg_roles r on r.oid = x.grantee
              where x.grantee <> p.proowner
              order by 1) as callers
  from pg_proc p
 where p.pronamespace = 'fibric'::regnamespace
 order by 1`

function functionHoles(found: readonly FunctionRow[]): string[] {
  const names = found.map(({ name }) => name)
  return [
    ...Object.keys(functions).flatMap((name) => (names.includes(name) ? [] : [`\`${name}\` is listed and not there`])),
    ...names.flatMap((name, index) => (names.indexOf(name) < index ? [`\`${name}\` is there more than once`] : [])),
    ...found.flatMap(({ name, definer, pinned, callers }) => {
      const listed = functions[name]
      const wanted = listed === undefined ? '' : 'fibric_worker'
      return [
        ...(definer && !listed?.definer ? [`\`${name}\` runs with the powers of its owner`] : []),
        ...(listed?.definer && !definer ? [`\`${name}\` is listed as running with the powers of its owner`] : []),
        ...(listed !== undefined && !pinned ? [`\`${name}\` looks names up where its caller says`] : []),
        ...(callers.join() === wanted ? [] : [`\`${name}\` may be called by \`${callers}\`, not \`${wanted}\``]),
      ]
    }),
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
