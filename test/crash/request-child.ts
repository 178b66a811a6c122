/**
 * Serves the API on a port of its own over a database whose writing transactions end this process by SIGKILL at the point
 * it is told, once a request asks for it; says on stdout where it listens, and how many points there were.
 */
import { writeSync } from 'node:fs'
import { openApi } from '../../controller/api/server.ts'
import { settleApi } from '../../controller/api/settings.ts'
import { openEngine } from '../../controller/engine.ts'
import { withFailpoints } from './failpoints.ts'

const [ownerUrl, dataDirectory, rootKeyText, killAt] = process.argv.slice(2) as [string, string, string, string]
const armed = { on: false, points: 0 }

const config = {
  databaseUrl: ownerUrl,
  appUrl: null,
  workerUrl: null,
  dataDirectory,
  searchPath: '',
  rootKeyText,
  token: null,
  login: 'crash',
}
const engine = await openEngine(config, {
  around: (database) =>
    withFailpoints(database, async () => {
      if (armed.on && armed.points++ === Number(killAt)) process.kill(process.pid, 'SIGKILL')
    }),
})
const api = await openApi(engine, { settings: settleApi({ FIBRIC_LOG_LEVEL: 'silent' }), directory: null })
const { port } = await api.listen('127.0.0.1', 0)
writeSync(1, `${port}\n`)

// The parent arms it when the server has come to rest, and asks for the count when its request is answered.
process.stdin.setEncoding('utf8').on('data', (said: string) => {
  if (said.includes('arm')) armed.on = true
  if (said.includes('count')) writeSync(1, `points ${armed.points}\n`)
})
process.stdin.on('end', () => process.exit(0))
