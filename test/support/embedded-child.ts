/**
 * One process that uses an embedded server, for tests of several at once:
 * `node embedded-child.ts DATA_DIRECTORY hold|once`. Prints one JSON line when it is up; `once` then leaves as a
 * one-shot command does, `hold` waits to be killed.
 */
import { startEmbedded } from '../../controller/store/embedded/server.ts'
import { withConnection } from '../../controller/store/pool.ts'

const [dataDirectory = '', mode] = process.argv.slice(2)
const server = await startEmbedded({ dataDirectory, settings: { fsync: 'off' } })
const answer = await withConnection(server.owner, 'fibric test', (connection) =>
  connection.prepared<{ ok: number }>('select 1 as ok', []),
)
console.log(JSON.stringify({ started: server.started, ok: answer.rows[0]?.ok, host: server.owner.host }))
if (mode === 'once') await server.stopIfIdle()
else setInterval(() => {}, 1000)
