import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { openDatabase } from '../../controller/store/connect.ts'
import { startEmbedded } from '../../controller/store/embedded/server.ts'
import { type ConnectionTarget, databaseUrlOf } from '../../controller/store/pool.ts'
import { type TestDatabase, testRootKeySource } from '../support/database.ts'

/** A PostgreSQL of a test's own, as durable as a deployment's, that can be restarted in place. */
export interface OwnServer {
  readonly superuser: ConnectionTarget
  /** A database on it, migrated; closing it stops the server and removes it. */
  open(): Promise<TestDatabase>
  /** `fast` cuts sessions and writes everything; `immediate` is a crash, and the server recovers from its log. */
  restart(how: 'fast' | 'immediate'): Promise<void>
}

export async function startOwnServer(settings: { readonly [name: string]: string }): Promise<OwnServer> {
  const folder = mkdtempSync(join(tmpdir(), 'fibric-own-'))
  const dataDirectory = join(folder, 'data')
  let server = await startEmbedded({ dataDirectory, settings })
  const cluster = join(dataDirectory, 'postgres')
  const superuser = { ...server.superuser, database: server.owner.database }
  return {
    superuser,
    async open() {
      const database = await openDatabase({
        databaseUrl: databaseUrlOf(server.owner),
        appUrl: null,
        workerUrl: null,
        dataDirectory: '',
        searchPath: '',
        rootKey: testRootKeySource,
        migrate: 'apply',
        poolSizeMax: 8,
      })
      const close = async (): Promise<void> => {
        await database.close()
        await server.stop()
        rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
      }
      return { database, ownerUrl: databaseUrlOf(server.owner), owner: server.owner, superuser, close }
    },
    async restart(how) {
      await end(cluster, how)
      await server.release()
      // Where it was before: clients know no other place.
      const unix_socket_directories = server.owner.host
      server = await startEmbedded({ dataDirectory, settings: { ...settings, unix_socket_directories } })
    },
  }
}

/** By PostgreSQL's own program, as the user whom the cluster belongs to, who may not be able to walk to it. */
async function end(cluster: string, how: 'fast' | 'immediate'): Promise<void> {
  const [pid] = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')
  const program = join(dirname(readlinkSync(`/proc/${pid}/exe`)), 'pg_ctl')
  const { uid, gid } = statSync(cluster)
  const user = process.getuid?.() === 0 ? { uid, gid } : {}
  await promisify(execFile)(program, ['stop', '-m', how, '-w', '-D', '.'], { ...user, cwd: cluster })
}
