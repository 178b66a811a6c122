import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { enterDeployment } from '../../controller/deployment.ts'
import type { Address, Slug } from '../../controller/domain/ids.ts'
import type { Engine } from '../../controller/engine.ts'
import { type Applied, applyPlanned } from '../../controller/operations/apply.ts'
import { type Pass, runPass } from '../../controller/operations/pass.ts'
import { type Planned, type PlanOptions, plan } from '../../controller/operations/plan.ts'
import type { Database } from '../../controller/store/connect.ts'
import { withConnection } from '../../controller/store/pool.ts'
import { authenticate, localActor } from '../../controller/tenancy/actor.ts'
import { createKey } from '../../controller/tenancy/keys.ts'
import type { RootKey } from '../../controller/tenancy/root-key.ts'
import { type TestDatabase, testDatabase } from './database.ts'
import { gitRepository, type TestRepository } from './git-repository.ts'

export type Files = { readonly [path: string]: string | null }

/** An engine over a database of its own, with a clock that stands still and a repository in a temporary folder. */
export interface TestEngine extends Engine {
  /** The repository's folder. */
  readonly directory: string
  /** The git repository in that folder; null where none was asked for. */
  readonly git: TestRepository | null
  readonly time: { now: number }
  /** Puts exactly these files in place of whatever the folder holds. */
  become(files: Files): void
  /** Writes some files; null removes one. */
  write(files: Files): void
  /** Whoever holds a key of this User (`_platform/User/ana`), or of nobody with `null`. */
  as(user: string | null, role?: string): Promise<Engine>
  plan(options?: Partial<PlanOptions>): Promise<Planned>
  /** Plans and applies what the folder holds. */
  apply(options?: Partial<PlanOptions>, confirmDeletes?: number | null): Promise<Applied>
  pass(): Promise<Pass>
  /** As nobody in the product can: past every wall. */
  sql<Row>(text: string, parameters?: readonly unknown[]): Promise<Row[]>
  /** How many rows each table holds, and the last moment an action moved. */
  census(): Promise<{ readonly [table: string]: string }>
}

export interface TestEngineOptions {
  readonly git?: boolean
  readonly around?: (database: Database<RootKey>) => Database<RootKey>
  readonly now?: string
  /** Another database than one on the run's server. */
  readonly open?: () => Promise<TestDatabase>
}

export async function testEngine(files: Files = {}, options: TestEngineOptions = {}): Promise<TestEngine> {
  const opened = await (options.open ?? testDatabase)()
  const database = options.around ? options.around(opened.database) : opened.database
  const git = options.git ? gitRepository() : null
  const directory = git?.directory ?? realpathSync(mkdtempSync(join(tmpdir(), 'fibric-engine-')))
  const dataDirectory = realpathSync(mkdtempSync(join(tmpdir(), 'fibric-data-')))
  const time = { now: Date.parse(options.now ?? '2026-03-02T09:00:00Z') }
  const clock = (): Date => new Date(time.now)
  const engine: TestEngine = {
    config: {
      databaseUrl: opened.ownerUrl,
      appUrl: null,
      workerUrl: null,
      dataDirectory,
      searchPath: '',
      rootKeyText: null,
      token: null,
      login: 'test',
    },
    database,
    deployment: await enterDeployment(database, clock()),
    actor: localActor('test'),
    clock,
    directory,
    git,
    time,
    become(next) {
      for (const name of readdirSync(directory)) {
        if (name !== '.git') rmSync(join(directory, name), { recursive: true, force: true })
      }
      engine.write(next)
    },
    write: (next) => writeFiles(directory, next),
    as: (user, role) => actAs(engine, user, role ?? 'admin'),
    plan: (wanted) => plan(engine, { directory, ref: null, ...wanted }),
    apply: async (wanted, confirmDeletes = null) => applyPlanned(engine, await engine.plan(wanted), { confirmDeletes }),
    pass: () => runPass(engine, directory),
    sql: (text, parameters = []) =>
      withConnection(
        opened.superuser,
        'fibric test',
        async (connection) => (await connection.prepared<never>(text, parameters)).rows,
      ),
    census: () => census(engine),
    async close() {
      await opened.close()
      for (const folder of [directory, dataDirectory]) rmSync(folder, { recursive: true, force: true })
    },
  }
  engine.write(files)
  return engine
}

/** What became of each change, by address: what most tests ask. */
export function fates(applied: Pick<Applied, 'outcomes'>): { [address: string]: string } {
  return Object.fromEntries(applied.outcomes.map(({ address, outcome }) => [address, outcome]))
}

/** What a plan would do, one line a change. */
export function summary({ plan: { changes } }: Pick<Planned, 'plan'>): string[] {
  return changes.map(({ address, addressBefore, heals, digestBefore, digestAfter }) => {
    if (digestAfter === null) return `- ${address}`
    if (addressBefore !== null) return `> ${addressBefore} ${address}`
    if (heals) return `! ${address}`
    return `${digestBefore === null ? '+' : '~'} ${address}`
  })
}

async function actAs(engine: TestEngine, user: string | null, role: string): Promise<Engine> {
  const slug = (user ?? '_platform/User/none').split('/')[0] as Slug
  const wanted = { slug, role, name: null, user: user as Address | null, expiresAt: null }
  const { secret } = await createKey(engine.database, engine.actor, wanted, engine.clock())
  return { ...engine, actor: await authenticate(engine.database, secret, engine.clock()) }
}

function writeFiles(directory: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    const file = join(directory, path)
    if (content === null) {
      rmSync(file, { recursive: true, force: true })
      continue
    }
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
}

async function census(engine: TestEngine): Promise<{ [table: string]: string }> {
  const tables = await engine.sql<{ name: string }>(
    `select c.relname as name from pg_class c where c.relnamespace = 'fibric'::regnamespace and c.relkind = 'r' order by 1`,
  )
  const counts: { [table: string]: string } = {}
  for (const { name } of tables) {
    // The sum over xmin notices rows that were written again with nothing new in them.
    const [row] = await engine.sql<{ count: string; written: string }>(
      `select count(*)::text as count, coalesce(sum(xmin::text::bigint), 0)::text as written from fibric.${name}`,
    )
    counts[name] = `${row!.count} rows, written by ${row!.written}`
  }
  return counts
}
