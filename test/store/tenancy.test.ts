import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FibricError } from '../../controller/domain/errors.ts'
import type { TenantId } from '../../controller/domain/ids.ts'
import { withConnection } from '../../controller/store/pool.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { exampleMigrations } from '../support/example-migrations.ts'

const one = 't_one' as TenantId
const two = 't_two' as TenantId
const readAll = 'select tenant_id, id from fibric.things order by tenant_id, id'
const add = 'insert into fibric.things (tenant_id, id, amount) values ($1, $2, $3)'

let world: TestDatabase

beforeAll(async () => {
  world = await testDatabase(exampleMigrations)
  await world.database.asTenant(one, (tx) => tx.execute(add, [one, 'a', 1]))
  await world.database.asTenant(two, (tx) => tx.execute(add, [two, 'b', 2]))
})

afterAll(async () => {
  await world.close()
})

describe('a transaction of one trip', () => {
  const once = { oneTrip: true }
  const ids = async () =>
    (await world.database.asTenant(one, (tx) => tx.query<{ id: string }>(readAll))).map(({ id }) => id)

  test('keeps what it sent, all of it', async () => {
    const sent = await world.database.asTenant(
      one,
      (tx) => Promise.all([tx.execute(add, [one, 'trip 1', 1]), tx.query<{ id: string }>(readAll)]),
      once,
    )
    expect([sent[0], sent[1].map(({ id }) => id)]).toEqual([1, ['a', 'trip 1']])
    expect(await ids()).toEqual(['a', 'trip 1'])
  })

  test('keeps nothing when a statement fails, and says which error it was', async () => {
    const failing = world.database.asTenant(
      one,
      (tx) => Promise.all([tx.execute(add, [one, 'trip 2', 1]), tx.execute(add, [two, 'trip 2', 1])]),
      once,
    )
    await expect(failing).rejects.toThrow('(42501)')
    expect(await ids()).toEqual(['a', 'trip 1'])
  })

  test('takes no statement that comes after an answer', async () => {
    const late = world.database.asTenant(
      one,
      async (tx) => {
        await tx.execute(add, [one, 'trip 3', 1])
        return tx.query(readAll)
      },
      once,
    )
    await expect(late).rejects.toThrow('the transaction is over')
  })

  test('waits for work that sends nothing at first', async () => {
    const slow = await world.database.asTenant(
      one,
      async (tx) => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        await tx.execute('delete from fibric.things where tenant_id = $1 and id <> $2', [one, 'a'])
        return tx.query<{ id: string }>(readAll)
      },
      once,
    )
    expect(slow.map(({ id }) => id)).toEqual(['a'])
    expect(await ids()).toEqual(['a'])
  })
})

describe('the row context', () => {
  test('shows a tenant its own rows and nothing else', async () => {
    expect(await world.database.asTenant(one, (tx) => tx.query(readAll))).toEqual([{ tenant_id: one, id: 'a' }])
    expect(await world.database.asTenant(two, (tx) => tx.query(readAll))).toEqual([{ tenant_id: two, id: 'b' }])
  })

  test('shows a worker the domains its batch names, and none for an empty batch', async () => {
    expect(await world.database.asWorker([one, two], (tx) => tx.query(readAll))).toHaveLength(2)
    expect(await world.database.asWorker([two], (tx) => tx.query(readAll))).toEqual([{ tenant_id: two, id: 'b' }])
    expect(await world.database.asWorker([], (tx) => tx.query(readAll))).toEqual([])
  })

  test('refuses to write a row of another tenant', async () => {
    await expect(world.database.asTenant(one, (tx) => tx.execute(add, [two, 'x', 1]))).rejects.toThrow('(42501)')
  })

  test('does not outlive its transaction, on no connection of the pool', async () => {
    const context = "select coalesce(current_setting('fibric.tenant_id', true), '') as id"
    await Promise.all(Array.from({ length: 8 }, () => world.database.asTenant(one, (tx) => tx.query(readAll))))
    const leftovers = await Promise.all(
      Array.from({ length: 8 }, () => world.database.asTenant(two, (tx) => tx.query(context))),
    )
    expect(leftovers.flat()).toEqual(Array.from({ length: 8 }, () => ({ id: two })))
  })

  test('is set in each login by its own entry point only', async () => {
    const both = `select current_user as login, current_setting('fibric.tenant_id', true) as one,
                         current_setting('fibric.tenant_ids', true) as many`
    const [app] = await world.database.asTenant(one, (tx) => tx.query<Record<string, string | null>>(both))
    const [worker] = await world.database.asWorker([one], (tx) => tx.query<Record<string, string | null>>(both))
    expect(app).toMatchObject({ one, many: null })
    expect(worker).toMatchObject({ one: null, many: one })
    expect(app?.login).toMatch(/^fibric_app_[0-9a-f]{10}$/)
    expect(worker?.login).toMatch(/^fibric_worker_[0-9a-f]{10}$/)
  })

  test.each([
    { name: 'a quote', id: "t_a'; drop table fibric.things; --" },
    { name: 'a second id', id: 't_one,t_two' },
    { name: 'upper case', id: 't_ONE' },
    { name: 'no prefix', id: 'one' },
    { name: 'nothing', id: '' },
    { name: 'only the prefix', id: 't_' },
    { name: 'a line after it', id: 't_one\n' },
    { name: 'too many letters', id: `t_${'a'.repeat(63)}` },
    { name: 'a list instead of a text', id: ['t_one'] as unknown as string },
  ])('is refused for an id with $name', async ({ id }) => {
    const read = (tx: { query(sql: string): Promise<unknown> }) => tx.query(readAll)
    await expect(world.database.asTenant(id as TenantId, read)).rejects.toThrow('a tenant id is not')
    await expect(world.database.asWorker([one, id as TenantId], read)).rejects.toThrow('a tenant id is not')
  })

  test('never lets a text that is not an id through', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }).filter((text) => !/^t_[0-9a-z]{1,62}$/.test(text)),
        async (text) => {
          await expect(world.database.asTenant(text as TenantId, async () => 'ran')).rejects.toThrow(FibricError)
        },
      ),
    )
  })
})

describe('a failed transaction', () => {
  const sessions = 'select pg_backend_pid() as pid'
  const pidOf = async () => (await world.database.asTenant(one, (tx) => tx.query<{ pid: number }>(sessions)))[0]!.pid

  async function failing(work: Parameters<typeof world.database.asTenant>[1]): Promise<number> {
    let pid = 0
    const run = world.database.asTenant(one, async (tx) => {
      pid = (await tx.query<{ pid: number }>(sessions))[0]!.pid
      await tx.execute(add, [one, 'kept?', 1])
      return work(tx)
    })
    await expect(run).rejects.toThrow()
    return pid
  }

  async function connected(pid: number): Promise<boolean> {
    const { rowCount } = await withConnection(world.superuser, 'fibric test', (connection) =>
      connection.prepared('select from pg_stat_activity where pid = $1', [pid]),
    )
    return rowCount === 1
  }

  test.each([
    {
      name: 'the work throws',
      work: async () => {
        throw new Error('no')
      },
    },
    { name: 'a statement fails', work: (tx: { query(sql: string): Promise<unknown> }) => tx.query('select 1/0') },
    {
      name: 'the work swallows the error of a statement',
      work: (tx: { query(sql: string): Promise<unknown> }) => tx.query('select 1/0').catch(() => 'fine'),
    },
    {
      name: 'the work does not wait for a statement',
      work: async (tx: { query(sql: string): Promise<unknown> }) => {
        void tx.query('select pg_sleep(0.2)').catch(() => {})
      },
    },
    {
      name: 'the work ends the transaction itself',
      work: (tx: { query(sql: string): Promise<unknown> }) => tx.query('rollback'),
    },
  ])('keeps nothing and gives no connection back when $name', async ({ work }) => {
    const pid = await failing(work)
    expect(await world.database.asTenant(one, (tx) => tx.query(readAll))).toEqual([{ tenant_id: one, id: 'a' }])
    await expect.poll(() => connected(pid), { timeout: 30_000 }).toBe(false)
    expect(await pidOf()).not.toBe(pid)
  })

  test('does not hold its locks while another statement of it still waits', async () => {
    const lock = 'select pg_advisory_xact_lock(77)'
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const locked = Promise.withResolvers<void>()
    const holder = world.database.asTenant(one, async (tx) => {
      await tx.query(lock)
      locked.resolve()
      await held
    })
    await locked.promise
    await failing(async (tx) => {
      await Promise.all([tx.query(lock), Promise.reject(new Error('given up'))])
    })
    release()
    await holder
  })

  test('refuses statements after its end', async () => {
    let kept: { query(sql: string): Promise<unknown> } | undefined
    await world.database.asTenant(one, async (tx) => {
      kept = tx
    })
    await expect(kept?.query(readAll)).rejects.toThrow('the transaction is over')
  })
})

describe('a transaction', () => {
  test('refuses writes when it is read only', async () => {
    const write = world.database.asTenant(one, (tx) => tx.execute(add, [one, 'ro', 1]), { access: 'read only' })
    await expect(write).rejects.toThrow('(25006)')
  })

  test('is cut off after its statement timeout', async () => {
    const slow = world.database.asTenant(one, (tx) => tx.query('select pg_sleep(5)'), { statementTimeoutMs: 50 })
    await expect(slow).rejects.toMatchObject({ code: 'DATABASE_TIMEOUT' })
  })

  test('sees one snapshot under repeatable read', async () => {
    const count = 'select count(*) as n from fibric.things'
    const counts = await world.database.asTenant(
      one,
      async (tx) => {
        const before = await tx.query(count)
        await world.database.asTenant(one, (other) => other.execute(add, [one, 'snapshot', 1]))
        return [before, await tx.query(count)]
      },
      { isolation: 'repeatable read', access: 'read only' },
    )
    await world.database.asTenant(one, (tx) => tx.execute("delete from fibric.things where id = 'snapshot'"))
    expect(counts[0]).toEqual(counts[1])
  })

  test('answers several statements sent at once in their order', async () => {
    const numbers = await world.database.asTenant(one, (tx) =>
      Promise.all(Array.from({ length: 50 }, (_, index) => tx.query<{ n: number }>('select $1::int as n', [index]))),
    )
    expect(numbers.flat().map(({ n }) => n)).toEqual(Array.from({ length: 50 }, (_, index) => index))
  })

  test('names the constraint of a conflict, and not the values', async () => {
    const twice = world.database.asTenant(one, (tx) => tx.execute(add, [one, 'a', 1]))
    await expect(twice).rejects.toMatchObject({ code: 'STATE_CONFLICT', details: { constraint: 'things_pkey' } })
    await expect(twice).rejects.not.toThrow('t_one')
  })

  test('cannot reach the ledger of migrations to write it, nor make objects', async () => {
    for (const sql of ["update fibric.schema_migrations set checksum = ''", 'create table fibric.own ()']) {
      await expect(world.database.asTenant(one, (tx) => tx.execute(sql))).rejects.toThrow('(42501)')
    }
  })

  test('leaves its login no way around row security', async () => {
    const facts = `select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
                          (select count(*) from pg_class where relowner = r.oid) as owned
                     from pg_roles r where rolname = current_user`
    const nothing = {
      rolsuper: false,
      rolbypassrls: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolreplication: false,
      owned: 0,
    }
    expect(await world.database.asTenant(one, (tx) => tx.query(facts))).toEqual([nothing])
    expect(await world.database.asWorker([], (tx) => tx.query(facts))).toEqual([nothing])
  })
})

describe('values', () => {
  const read = async (sql: string) => (await world.database.asTenant(one, (tx) => tx.query<{ v: unknown }>(sql)))[0]?.v

  test.each([
    { sql: 'select 9007199254740991::int8 as v', want: 9007199254740991 },
    { sql: 'select array[1, null]::int8[] as v', want: [1, null] },
    { sql: 'select 10.10::numeric as v', want: '10.10' },
    { sql: "select timestamptz '2026-01-02 03:04:05+02' as v", want: '2026-01-02T01:04:05.000Z' },
    { sql: "select timestamptz '2026-01-02 03:04:05.1Z' as v", want: '2026-01-02T03:04:05.100Z' },
    { sql: "select timestamptz '2026-01-02 03:04:05.12345Z' as v", want: '2026-01-02T03:04:05.123450Z' },
    { sql: "select array[timestamptz '2026-01-02 03:04:05Z'] as v", want: ['2026-01-02T03:04:05.000Z'] },
    { sql: "select date '2026-01-02' as v", want: '2026-01-02' },
    { sql: `select '{"a":[1]}'::jsonb as v`, want: { a: [1] } },
    { sql: "select '\\x00ff'::bytea as v", want: Buffer.of(0, 255) },
  ])('read $sql as decided', async ({ sql, want }) => {
    expect(await read(sql)).toEqual(want)
  })

  test('that no number holds are an error, not a wrong number', async () => {
    await expect(read('select 9007199254740992::int8 as v')).rejects.toThrow()
  })

  test('that JavaScript wrote as an instant read back equal', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.date({
          min: new Date('0001-01-01T00:00:00Z'),
          max: new Date('9999-12-31T23:59:59.999Z'),
          noInvalidDate: true,
        }),
        async (date) => {
          const rows = await world.database.asTenant(one, (tx) =>
            tx.query('select $1::timestamptz as v', [date.toISOString()]),
          )
          expect(rows).toEqual([{ v: date.toISOString() }])
        },
      ),
      { numRuns: 50 },
    )
  })
})
