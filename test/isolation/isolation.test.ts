import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readMigrations } from '../../controller/store/migrate.ts'
import { withConnection } from '../../controller/store/pool.ts'
import { type ClonedDatabase, cloneDatabase } from '../support/database.ts'
import { findHoles } from './catalog.ts'
import { granted } from './expected.ts'
import { fillTables, probe } from './probe.ts'

let database: ClonedDatabase
let inhabited: ClonedDatabase

beforeAll(async () => {
  database = await cloneDatabase(await readMigrations())
  inhabited = await filled()
})

afterAll(async () => {
  await database.drop()
  await inhabited.drop()
})

async function filled(): Promise<ClonedDatabase> {
  const clone = await cloneDatabase(await readMigrations())
  await fillTables(clone.superuser)
  return clone
}

function holesOf({ superuser }: ClonedDatabase): Promise<string[]> {
  return withConnection(superuser, 'fibric test', findHoles)
}

describe('the wall between tenants', () => {
  test('has no hole in the catalog', async () => {
    expect(await holesOf(database)).toEqual([])
  })

  test('has none in the partition of a week', async () => {
    await damaged(async (connection) => {
      await connection.simple(`select fibric.make_event_partition('2026-11-16')`)
      expect(await findHoles(connection)).toEqual([])
      await connection.simple('grant select on fibric.event_20261116 to fibric_worker')
      expect(await findHoles(connection)).toContainEqual(expect.stringContaining('`event_20261116`'))
    })
  })

  test('lets each login reach its context and nothing else, on every table and by every verb', async () => {
    expect(await probe(inhabited.owner, inhabited.superuser)).toEqual([])
  })
})

describe('this suite', () => {
  test.each(
    Object.entries(granted).flatMap(([name, roles]) => [
      ...(roles.fibric_app ? [{ name, role: 'fibric_app' }] : []),
      ...(roles.fibric_worker ? [{ name, role: 'fibric_worker' }] : []),
    ]),
  )('notices when `$name` loses its policy for $role', async ({ name, role }) => {
    await damaged(async (connection) => {
      const { rows } = await connection.prepared<{ policy: string }>(
        `select policyname as policy from pg_policies where schemaname = 'fibric' and tablename = $1 and $2 = any(roles)`,
        [name, role],
      )
      for (const { policy } of rows) await connection.simple(`drop policy ${policy} on fibric.${name}`)
      expect(await findHoles(connection)).toContainEqual(expect.stringContaining(`\`${name}\` and no policy`))
    })
  })

  test.each([
    {
      what: 'row security that is switched off',
      sql: 'alter table fibric.action disable row level security',
      named: 'action',
    },
    { what: 'an owner let through', sql: 'alter table fibric.object no force row level security', named: 'object' },
    { what: 'a table nobody listed', sql: 'create table fibric.stray (tenant_id text)', named: 'stray' },
    { what: 'a grant too much', sql: 'grant delete on fibric.ledger_entry to fibric_worker', named: 'ledger_entry' },
    {
      what: 'a grant of one column',
      sql: 'grant update (bytes) on fibric.ledger_entry to fibric_app',
      named: 'ledger_entry',
    },
    { what: 'a grant to everybody', sql: 'grant select on fibric.approval to public', named: 'approval' },
    { what: 'a policy for everybody', sql: 'create policy open on fibric.api_key using (true)', named: 'api_key' },
    {
      what: 'a second policy that looks at nothing',
      sql: 'create policy open on fibric.api_key to fibric_app using (true)',
      named: 'api_key',
    },
    {
      what: 'a view with the powers of its owner',
      sql: 'create view fibric.peek as select * from fibric.api_key',
      named: 'peek',
    },
    {
      what: 'a function with the powers of its owner',
      sql: `create function fibric.peek() returns int language sql security definer as 'select 1'; revoke all on function fibric.peek from public`,
      named: 'peek',
    },
    {
      what: 'a function for everybody',
      sql: `create function fibric.peek() returns int language sql as 'select 1'`,
      named: 'peek',
    },
    {
      what: 'a listed function for the other login',
      sql: 'grant execute on function fibric.empty_ingest_slot to fibric_app',
      named: 'empty_ingest_slot',
    },
    {
      what: 'a listed function for everybody',
      sql: 'grant execute on function fibric.wake_waiters to public',
      named: 'wake_waiters',
    },
    {
      what: 'a listed function that got the powers of its owner',
      sql: 'alter function fibric.settle_effects security definer',
      named: 'settle_effects',
    },
    {
      what: 'a listed function that looks names up elsewhere',
      sql: 'alter function fibric.make_event_partition reset search_path',
      named: 'make_event_partition',
    },
    { what: 'a sequence nobody listed', sql: 'create sequence fibric.stray', named: 'stray' },
    {
      what: 'a sequence for the other login',
      sql: 'grant usage on sequence fibric.fence to fibric_app',
      named: 'fence',
    },
    {
      what: 'a grant on a partition',
      sql: 'grant select on fibric.ingest_key_1 to fibric_worker',
      named: 'ingest_key_1',
    },
    {
      what: 'a policy of a partition',
      sql: `create policy own on fibric.event_default to fibric_app using (tenant_id = current_setting('fibric.tenant_id'))`,
      named: 'event_default',
    },
    {
      what: 'a partition without row security',
      sql: 'alter table fibric.ingest_key_2 disable row level security',
      named: 'ingest_key_2',
    },
    {
      what: 'a partition nobody listed',
      sql: `create table fibric.event_extra partition of fibric.event for values from (minvalue) to ('2001-01-01')`,
      named: 'event_extra',
    },
    {
      what: 'an index of a partition that leads elsewhere',
      sql: 'create index astray on fibric.event_default (source)',
      named: 'astray',
    },
    { what: 'an index that leads elsewhere', sql: 'create index astray on fibric.action (state)', named: 'astray' },
    { what: 'a schema open to everybody', sql: 'grant usage on schema fibric to public', named: 'schema' },
    { what: 'a login above the policies', sql: 'create role fibric_app_strong bypassrls', named: 'fibric_app_strong' },
  ])('notices $what', async ({ sql, named }) => {
    await damaged(async (connection) => {
      await connection.simple(sql)
      expect(await findHoles(connection)).toContainEqual(expect.stringContaining(named))
    })
  })

  test.each([
    { what: 'a policy that is gone', sql: 'drop policy own_domain on fibric.object' },
    { what: 'row security that is switched off', sql: 'alter table fibric.api_key disable row level security' },
    {
      what: 'a policy that names another setting',
      sql: `alter policy named_domains on fibric.action using (tenant_id = current_setting('fibric.other', true) or tenant_id like 't%')`,
    },
    {
      what: 'shared rows that can be written',
      sql: `create policy shared_too on fibric.object for update to fibric_worker using (kind = 'TrustPolicy')`,
    },
    { what: 'rows that can be moved', sql: `alter policy own_domain on fibric.suspension with check (true)` },
  ])('notices by trying: $what', async ({ sql }) => {
    const copy = await filled()
    try {
      await withConnection(copy.superuser, 'fibric test', (connection) => connection.simple(sql))
      expect(await probe(copy.owner, copy.superuser)).not.toEqual([])
    } finally {
      await copy.drop()
    }
  })
})

/** Damage inside a transaction that is taken back. */
async function damaged(work: (connection: Parameters<typeof findHoles>[0]) => Promise<void>): Promise<void> {
  await withConnection(database.superuser, 'fibric test', async (connection) => {
    await connection.simple('begin')
    try {
      await work(connection)
    } finally {
      await connection.simple('rollback')
    }
  })
}
