import { realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { connectorYaml } from '../../executor/effects/world.ts'
import { allowAll, doc, docs, parameter, policy, role, tenant, user } from '../../operations/repositories.ts'
import { type TestApi, testApi } from '../../support/api.ts'
import { fibricBatch, type Ran } from '../../support/cli.ts'
import { type TestEngine, testEngine } from '../../support/engine.ts'
import { type Provider, startProvider } from '../../support/provider.ts'

/** The same deployment twice: one asked by the engine in the command's process, one over HTTP. */
export interface Side {
  readonly name: 'engine' | 'server'
  readonly engine: TestEngine
  readonly provider: Provider
  /** Runs command lines, one after the other, in one process. */
  run(lines: readonly (readonly string[])[]): Promise<Ran[]>
  close(): Promise<void>
}

const keeper = `
  trigger: {on: [thing.seen]}
  capabilities: [thing.keyed, thing.delete]
  reason:
    rules:
      - {when: "event.payload.remove == true", propose: [{capability: thing.delete, args: {id: "\${event.payload.id}"}}]}
      - {when: "event.payload.remove == false", propose: [{capability: thing.keyed, args: {id: "\${event.payload.id}"}}]}`

const rules = [
  '{id: things, match: {capability: thing.keyed}, decision: ALLOW}',
  '{id: inverses, match: {capability: thing.idempotent}, decision: ALLOW}',
  '{id: removals, match: {capability: thing.delete}, decision: ALERT, alert: {mode: hold, approvers: {role: admin, quorum: 1}}}',
]

export async function startSide(name: Side['name']): Promise<Side> {
  const provider = await startProvider()
  const engine = await testEngine({
    'fibric.yaml': doc('Deployment', 'lab', '{egress: {allowPrivate: ["127.0.0.1/32"]}}'),
    'tenants/_platform/connectors.yaml': connectorYaml,
    'tenants/_platform/policy.yaml': policy('config', allowAll),
    'tenants/_platform/people.yaml': docs(role('admin', 'read, write, approve'), user('ana')),
    'tenants/acme/tenant.yaml': tenant('acme'),
    'tenants/acme/settings.yaml': parameter('colour', 'red'),
    'tenants/acme/role.yaml': role('admin', 'read, write, approve'),
    'tenants/acme/policy.yaml': policy('things', ...rules),
    'tenants/acme/connection.yaml': doc(
      'Connection',
      'main',
      `{connector: lab@1.0.0, as: [lab], config: {port: "${provider.port}"}}`,
    ),
    'tenants/acme/operator.yaml': doc('Operator', 'keeper', keeper),
  })
  await engine.apply()
  const now = { ...engine, clock: () => new Date() }
  const api = await testApi(now, { environment: { FIBRIC_REQUESTS_PER_MINUTE: '1000000' } })
  const token = await api.key(null, 'admin', '_platform/User/ana')
  const environment = environmentOf(name, engine, api, token)
  return {
    name,
    engine,
    provider,
    run: (lines) => fibricBatch(lines, engine.directory, environment),
    async close() {
      await api.close()
      await engine.close()
      await provider.close()
    },
  }
}

function environmentOf(name: Side['name'], engine: TestEngine, api: TestApi, token: string): NodeJS.ProcessEnv {
  const rootKey = Buffer.alloc(32, 'fibric test root key').toString('hex')
  return name === 'server'
    ? { FIBRIC_SERVER: `http://127.0.0.1:${api.port}`, FIBRIC_TOKEN: token }
    : { FIBRIC_DATABASE_URL: engine.config.databaseUrl!, FIBRIC_ROOT_KEY: rootKey, FIBRIC_TOKEN: token }
}

/** Output without what differs between two runs: ids, hashes, times and ports, by the order they appear in. */
export function comparable(text: string, side: Side): string {
  const names = new Map<string, string>()
  const named = (found: string): string => {
    if (!names.has(found)) names.set(found, `<${names.size + 1}>`)
    return names.get(found)!
  }
  return text
    .replaceAll(side.engine.directory, '<folder>')
    .replaceAll(realpathSync(tmpdir()), '<tmp>')
    .replaceAll(String(side.provider.port), '<port>')
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, '<time>')
    .replace(/\b[a-z]{1,4}_[0-9a-f]{24,32}\b/g, named)
    .replace(/\bt_[0-9a-z]+\b/g, named)
    .replace(/\bsk_live_\w+/g, '<secret>')
    .replace(/"(?:prefix|last_four)": "[^"]+"/g, '<part of a secret>')
    .replace(/\b\S+…\S{4}\b/g, '<part of a secret>')
    .replace(/sha256:[0-9a-f]{8,64}|\b[0-9a-f]{64}\b/g, named)
    .replace(/"(?:tookMs|took_ms|fence|xid|serial)": \d+/g, '<number>')
    .replace(/in \d+ ms/g, 'in <n> ms')
    .replace(/ {2,}/g, '  ')
}
