import type { Database } from '../../controller/store/connect.ts'
import type { Transaction, TransactionOptions, Work } from '../../controller/store/tenancy.ts'
import type { RootKey } from '../../controller/tenancy/root-key.ts'

/**
 * A database that says where it is: before each statement of each transaction, before each commit and after it. The
 * name of a point is the transaction's number, its login, and the leading words of the statement, so that one run can
 * list the points and another stop at one of them.
 *
 * Between two statements of a transaction nothing durable happens, so "after" one of them is "before" the next. The
 * same goes for a transaction that only reads: to be killed in it is to be killed after the commit before it.
 */
export function withFailpoints(
  database: Database<RootKey>,
  reach: (point: string) => Promise<void>,
): Database<RootKey> {
  let transactions = 0
  const watched = <T>(login: string, work: Work<T>, options: TransactionOptions | undefined, begin: Begin<T>) => {
    if (options?.access === 'read only') return begin(work)
    return writing(`${String(++transactions).padStart(2, '0')} ${login}`, work, begin)
  }
  async function writing<T>(name: string, work: Work<T>, begin: Begin<T>): Promise<T> {
    let statements = 0
    const before = (sql: string) => reach(`${name}: before ${++statements} ${leadingWords(sql)}`)
    const result = await begin(async (tx) => {
      const said: Transaction = {
        query: async (sql, parameters) => {
          await before(sql)
          return tx.query(sql, parameters)
        },
        execute: async (sql, parameters) => {
          await before(sql)
          return tx.execute(sql, parameters)
        },
      }
      const worked = await work(said)
      await reach(`${name}: before commit`)
      return worked
    })
    await reach(`${name}: after commit`)
    return result
  }
  return {
    ...database,
    asTenant: (tenant, work, options) =>
      watched('app', work, options, (wrapped) => database.asTenant(tenant, wrapped, options)),
    asWorker: (tenants, work, options) =>
      watched('worker', work, options, (wrapped) => database.asWorker(tenants, wrapped, options)),
  }
}

type Begin<T> = (work: Work<T>) => Promise<T>

/** `insert fibric.object`: the verb, and the first table named. */
function leadingWords(sql: string): string {
  const [verb] = sql.trim().split(/\s+/)
  const [table] = /fibric\.\w+/.exec(sql) ?? ['']
  return `${verb} ${table}`.trim()
}
