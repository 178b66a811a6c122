import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { readMigrations } from '../../controller/store/migrate.ts'
import { type ConnectionTarget, withConnection } from '../../controller/store/pool.ts'
import { cloneDatabase, testServer } from '../support/database.ts'
import { findFaults, type Summary, summarise } from './ledger-state.ts'
import { configOn, ended, runSession, type Session, startChild, temporaryFolder } from './world.ts'

export interface Scenario {
  /** What came before: it is done once, and every run begins with a copy of it. */
  readonly before: readonly Session[]
  /** What befell the database by hand after that. */
  readonly damage?: readonly string[]
  /** The session that is killed. */
  readonly killed: Session
  /** What people do afterwards; without a kill it has to change nothing. */
  readonly after: readonly Session[]
}

export interface Result {
  readonly points: readonly string[]
  /** What the session and its aftermath leave when nobody kills it. */
  readonly reference: Summary
  /** Points after which the end was another, with what differs. */
  readonly failures: readonly string[]
}

/** Processes at a time: one for each core of the smallest machine this has to run on. */
const lanes = 2

/** Runs a session once for each of its points, killed there, and then what comes after; all must end alike. */
export async function killAtEveryPoint(scenario: Scenario): Promise<Result> {
  const { folder, remove } = temporaryFolder()
  const template = await cloneDatabase(await readMigrations())
  try {
    const run = new Runs(template, folder)
    await run.prepare(scenario)
    const { points, summary: reference, faults } = await run.whole(scenario)
    const failures = faults.map((fault) => `without a kill: ${fault}`)
    const pending = points.map((point) => ({ point }))
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        for (let next = pending.shift(); next; next = pending.shift()) {
          failures.push(...(await run.killed(scenario, next.point, reference)))
        }
      }),
    )
    return { points, reference, failures }
  } finally {
    await template.drop()
    remove()
  }
}

class Runs {
  readonly #template: { readonly owner: ConnectionTarget; readonly superuser: ConnectionTarget }
  readonly #folder: string
  readonly #secrets = new Map<string, string>()

  constructor(template: { owner: ConnectionTarget; superuser: ConnectionTarget }, folder: string) {
    this.#template = template
    this.#folder = folder
  }

  async prepare({ before, damage = [] }: Scenario): Promise<void> {
    for (const session of before) {
      const { secrets } = await this.#session(this.#template.owner, session)
      for (const [user, secret] of Object.entries(secrets)) this.#secrets.set(user, secret)
    }
    await withConnection(this.#template.superuser, 'fibric test', async (connection) => {
      for (const sql of damage) await connection.simple(sql)
    })
  }

  /** Everything to its end, on a copy. */
  async whole({ killed, after }: Scenario) {
    return this.#onCopy(async (owner, superuser) => {
      const { points } = await this.#session(owner, killed)
      for (const session of after) await this.#session(owner, session)
      return { points, summary: await summarise(superuser), faults: await findFaults(superuser) }
    })
  }

  async killed({ killed, after }: Scenario, point: string, reference: Summary): Promise<string[]> {
    return this.#onCopy(async (owner, superuser) => {
      const orders = {
        config: this.#config(owner, killed),
        steps: killed.steps,
        stop: { at: point, how: 'die' },
      } as const
      const { signal } = await ended(startChild(orders, join(this.#folder, 'cache')))
      if (signal !== 'SIGKILL') return [`${point}: was not reached`]
      try {
        for (const session of after) await this.#session(owner, session)
      } catch (error) {
        return [`${point}: afterwards ${(error as Error).message}`]
      }
      const faults = [...differences(reference, await summarise(superuser)), ...(await findFaults(superuser))]
      return faults.length === 0 ? [] : [`${point}: ${short(faults)}`]
    })
  }

  #config(owner: ConnectionTarget, session: Session) {
    const token = session.as === undefined ? null : this.#secrets.get(session.as)!
    return configOn(owner, this.#folder, token)
  }

  #session(owner: ConnectionTarget, session: Session) {
    return runSession(this.#config(owner, session), session, join(this.#folder, 'cache'))
  }

  async #onCopy<T>(work: (owner: ConnectionTarget, superuser: ConnectionTarget) => Promise<T>): Promise<T> {
    const server = await testServer()
    const name = `crash_${randomBytes(8).toString('hex')}`
    const onServer = (sql: string) =>
      withConnection(server.superuser, 'fibric test', (connection) => connection.simple(sql))
    const { owner, superuser } = this.#template
    await onServer(`create database ${name} template ${owner.database} owner ${owner.user}`)
    try {
      return await work({ ...owner, database: name }, { ...superuser, database: name })
    } finally {
      await onServer(`drop database ${name} with (force)`)
    }
  }
}

/** Lines of one summary that the other has not, or has less often. */
function differences(expected: Summary, actual: Summary): string[] {
  return (Object.keys(expected) as (keyof Summary)[]).flatMap((part) => {
    const [wanted, found] = [[expected[part]].flat(), [actual[part]].flat()]
    return [
      ...minus(wanted, found).map((line) => `${part} lack \`${line}\``),
      ...minus(found, wanted).map((line) => `${part} have \`${line}\` besides`),
    ]
  })
}

/** The kinds of fault of one run, each once. */
function short(faults: readonly string[]): string {
  return [...new Set(faults.map((fault) => fault.replace(/\b(rc|act|pl|t)_\w+/g, '$1_…')))].join('; ')
}

function minus(lines: readonly string[], others: readonly string[]): string[] {
  const left = [...others]
  return lines.filter((line) => {
    const index = left.indexOf(line)
    if (index < 0) return true
    left.splice(index, 1)
    return false
  })
}
