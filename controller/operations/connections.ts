import { awsIdentityOf } from '../connectors/auth/aws-role.ts'
import { missingFields } from '../connectors/auth/credentials.ts'
import { baseUrlOf } from '../connectors/binding.ts'
import type { Installed } from '../connectors/catalog.ts'
import type { CountedCall } from '../connectors/egress/broker.ts'
import { serverOf } from '../connectors/mcp/server.ts'
import { type Probe, probe, type ShownServer } from '../connectors/probe.ts'
import { objectOf, RenderError } from '../connectors/request.ts'
import { ConnectorRuntime } from '../connectors/runtime.ts'
import { sandboxHere } from '../connectors/sandbox.ts'
import { FibricError } from '../domain/errors.ts'
import type { Address, TenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { readOpenedBreakers } from '../store/breakers.ts'
import type { Database } from '../store/connect.ts'
import { readDrifts, readRegistrations } from '../store/connection-records.ts'
import { readFailingPolls } from '../store/pollers.ts'
import { requireScope } from '../tenancy/actor.ts'
import { readCredential } from '../tenancy/secrets.ts'
import { visibleDomains } from './domains.ts'

export type { Probe, ShownServer }

export interface ShownConnection {
  readonly address: Address
  readonly tenant: string
  readonly name: string
  readonly connector: string
  readonly roles: readonly string[]
  readonly auth: string
  readonly credential: string | null
  /** Where its calls go: a URL, or the program of a local MCP server; null where that cannot be said. */
  readonly base_url: string | null
  readonly transport: 'live' | 'sandbox'
  readonly ready: boolean
  /** Why it is not ready, as a condition's reason and message. */
  readonly reason: Reason | null
  readonly message: string | null
}

export type Reason =
  | 'ContentGone'
  | 'Unsupported'
  | 'Unrenderable'
  | 'CredentialMissing'
  | 'SandboxMissing'
  | 'Drifted'
  | 'Unregistered'
  | 'PollFailed'
  | 'NotDone'

const runtimes = new WeakMap<Database, ConnectorRuntime>()

/** The connector runtime over an engine's database: one, so that what it keeps in memory is kept once. */
export function connectorsOf(engine: Engine): ConnectorRuntime {
  const known = runtimes.get(engine.database)
  if (known !== undefined) return known
  const { database, clock } = engine
  const runtime = new ConnectorRuntime({ database, clock, aws: awsIdentityOf(process.env) })
  runtimes.set(database, runtime)
  return runtime
}

/** Has calls to the outside counted, from now on. */
export function observeEgress(engine: Engine, listener: (call: CountedCall) => void): void {
  connectorsOf(engine).broker.observe(listener)
}

export async function listConnections(engine: Engine, slug: string | null): Promise<ShownConnection[]> {
  requireScope(engine.actor, 'config:read')
  const shown: ShownConnection[] = []
  for (const domain of await visibleDomains(engine, slug)) {
    const { connections } = await connectorsOf(engine).catalog.of(domain.tenant_id)
    for (const installed of connections) shown.push(await show(engine, domain.tenant_id, domain.slug, installed))
  }
  return shown
}

export async function showConnection(engine: Engine, slug: string, name: string): Promise<ShownConnection> {
  requireScope(engine.actor, 'config:read')
  const { tenantId, installed } = await connectionNamed(engine, slug, name)
  return show(engine, tenantId, slug, installed)
}

/** Probes one connection: a read of the provider, with the credential that reads use. */
export async function testConnection(
  engine: Engine,
  slug: string,
  name: string,
): Promise<{ readonly connection: ShownConnection; readonly probe: Probe }> {
  requireScope(engine.actor, 'runs:write')
  const { tenantId, installed } = await connectionNamed(engine, slug, name)
  const connection = await show(engine, tenantId, slug, installed)
  return { connection, probe: await probe(connectorsOf(engine), tenantId, installed) }
}

export async function connectionNamed(
  engine: Engine,
  slug: string,
  name: string,
): Promise<{ readonly tenantId: TenantId; readonly installed: Installed }> {
  const [domain] = await visibleDomains(engine, slug)
  const { connections } = await connectorsOf(engine).catalog.of(domain!.tenant_id)
  const installed = connections.find((candidate) => candidate.name === name)
  if (installed) return { tenantId: domain!.tenant_id, installed }
  throw new FibricError('NOT_FOUND', `\`${slug}\` has no connection \`${name}\``, {
    hint: `see them with: fibric connections list --tenant ${slug}`,
  })
}

async function show(
  engine: Engine,
  tenantId: TenantId,
  tenant: string,
  installed: Installed,
): Promise<ShownConnection> {
  const { spec, connector } = installed
  const auth = String(objectOf(connector?.spec?.auth).kind ?? 'none')
  const credential = typeof spec?.credential === 'string' ? spec.credential : null
  const base = baseUrl(installed)
  const problem =
    base.problem ??
    (await missing(engine, tenantId, auth, credential)) ??
    (await unconfined(installed)) ??
    (await drifted(engine, tenantId, installed)) ??
    (await unregistered(engine, tenantId, installed.address)) ??
    (await pollFailing(engine, tenantId, installed.id)) ??
    (await broken(engine, tenantId, installed.address))
  return {
    address: installed.address,
    tenant,
    name: installed.name,
    connector: String(spec?.connector ?? ''),
    roles: Array.isArray(spec?.as) ? spec.as.map(String) : [],
    auth,
    credential,
    base_url: base.url,
    transport: spec?.transport === undefined || spec.transport === 'live' ? 'live' : 'sandbox',
    ready: problem === null,
    reason: problem?.reason ?? null,
    message: problem?.message ?? null,
  }
}

type Problem = Pick<ShownConnection, 'reason' | 'message'>

function baseUrl({ spec, connector }: Installed): { readonly url: string | null; readonly problem: Problem | null } {
  if (spec === null || !connector?.spec) {
    const message = 'its content or that of its connector is gone: apply it again'
    return { url: null, problem: { reason: 'ContentGone', message } }
  }
  const footing = { connection: spec, connector: connector.spec }
  const { runtime } = connector.spec
  if (runtime !== 'http' && runtime !== 'mcp') {
    const message = `\`runtime: ${String(runtime)}\` calls nothing`
    return { url: null, problem: { reason: 'Unsupported', message } }
  }
  try {
    if (runtime === 'http') return { url: baseUrlOf(footing), problem: null }
    const server = serverOf(footing)
    return { url: server.kind === 'remote' ? server.url : (server.command[0] ?? null), problem: null }
  } catch (error) {
    if (!(error instanceof RenderError)) throw error
    return { url: null, problem: { reason: 'Unrenderable', message: error.message } }
  }
}

async function unconfined({ connector }: Installed): Promise<Problem | null> {
  if (objectOf(connector?.spec?.mcp).command === undefined) return null
  const sandbox = await sandboxHere()
  return sandbox.kind === 'none' ? { reason: 'SandboxMissing', message: `${sandbox.reason}: ${sandbox.hint}` } : null
}

/** Its MCP server showed other tools than its connector pins. What another version was found to be says nothing of this one. */
async function drifted(
  engine: Engine,
  tenantId: TenantId,
  { address, digest, connector }: Installed,
): Promise<Problem | null> {
  if (connector?.spec?.runtime !== 'mcp') return null
  const rows = await engine.database.asWorker([tenantId], (tx) => readDrifts(tx, [tenantId]), { access: 'read only' })
  const drift = rows.find((row) => row.address === address && row.connection_digest === digest)
  const pinned = objectOf(connector.spec.mcp).toolsDigest ?? null
  if (drift === undefined || pinned === drift.listed) return null
  const message =
    pinned === null
      ? `the connector pins no tools; the server's are ${drift.listed}`
      : `the server's tools are ${drift.listed}, and the connector pins ${String(pinned)}`
  return { reason: 'Drifted', message }
}

/** A subscription at the provider was asked for, and is not there. */
async function unregistered(engine: Engine, tenantId: TenantId, address: Address): Promise<Problem | null> {
  const rows = await engine.database.asWorker([tenantId], (tx) => readRegistrations(tx, [tenantId]), {
    access: 'read only',
  })
  const done: ReadonlySet<string | null> = new Set(['applied', 'deduplicated'])
  const row = rows.find((each) => each.address === address && each.ended_by === null && !done.has(each.state))
  if (row === undefined) return null
  const message = `\`${row.event_type}\` is not registered at the provider: ${row.action_id} is ${row.state ?? 'gone'}`
  return { reason: 'Unregistered', message }
}

async function missing(
  engine: Engine,
  tenantId: TenantId,
  auth: string,
  credential: string | null,
): Promise<Problem | null> {
  if (auth === 'none') return null
  if (credential === null) return { reason: 'CredentialMissing', message: 'it names no credential' }
  const fields = missingFields(auth, await readCredential(engine.database, tenantId, credential))
  if (fields.length === 0) return null
  const message = `the credential \`${credential}\` has no ${fields.join(' and no ')}: fibric secrets set ${credential}`
  return { reason: 'CredentialMissing', message }
}

/** The first of its polls that came to nothing the last time. */
async function pollFailing(engine: Engine, tenantId: TenantId, id: string | null): Promise<Problem | null> {
  const failing = await engine.database.asWorker([tenantId], (tx) => readFailingPolls(tx, [tenantId]), {
    access: 'read only',
  })
  const poll = failing.find(({ connection_id }) => connection_id === id)
  if (poll === undefined) return null
  const message = `polling \`${poll.event_type}\`: ${poll.message} (${poll.reason}, ${poll.failures} times since ${poll.failing_since})`
  return { reason: 'PollFailed', message }
}

/** It was not done several times in a row: its actions wait, and one of them tries it when its time is over. */
async function broken(engine: Engine, tenantId: TenantId, address: Address): Promise<Problem | null> {
  const rows = await engine.database.asWorker([tenantId], (tx) => readOpenedBreakers(tx, [tenantId]), {
    access: 'read only',
  })
  const row = rows.find(({ connection }) => connection === address)
  if (row === undefined) return null
  const message = `not done ${row.failures} times in a row (${row.reason}): its actions wait, and after ${row.open_until} one of them tries it`
  return { reason: 'NotDone', message }
}
