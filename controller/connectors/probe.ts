import type { TenantId } from '../domain/ids.ts'
import type { Installed } from './catalog.ts'
import { baseUrlOf, egressOf, type Footing } from './binding.ts'
import { objectOf, RenderError, renderRequest } from './request.ts'
import type { ConnectorRuntime } from './runtime.ts'

/** Whether a connection is alive, and if not, why not. */
export type Probe =
  | { readonly kind: 'alive'; readonly status: number; readonly tookMs: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly status: number | null }
  /** The connector says no way of finding out. */
  | { readonly kind: 'unprobed'; readonly reason: string }

const timeoutMs = 10_000

/** Makes the request of the connector's `probe`, with the credential reads use, and compares the status. */
export async function probe(runtime: ConnectorRuntime, tenantId: TenantId, installed: Installed): Promise<Probe> {
  const { spec: connection, connector } = installed
  if (connection === null || connector === null || connector.spec === null) {
    return failed('its content or that of its connector is gone: apply it again')
  }
  const footing: Footing = { connection, connector: connector.spec }
  const described = objectOf(connector.spec.probe)
  if (connector.spec.runtime !== 'http') {
    return { kind: 'unprobed', reason: `this version probes \`runtime: http\`, and not \`${String(connector.spec.runtime)}\`` }
  }
  if (described.http === undefined) return { kind: 'unprobed', reason: 'its connector has no `probe`' }
  try {
    return await ask(runtime, tenantId, footing, Number(objectOf(described.expect).status ?? 200))
  } catch (error) {
    if (error instanceof RenderError) return failed(error.message)
    throw error
  }
}

async function ask(runtime: ConnectorRuntime, tenantId: TenantId, footing: Footing, expected: number): Promise<Probe> {
  const { connection, connector } = footing
  const config = objectOf(connection.config)
  const baseUrl = baseUrlOf(footing)
  const request = renderRequest(objectOf(objectOf(connector.probe).http), baseUrl, { config })
  const { allowPrivate } = await runtime.catalog.of(tenantId)
  const startedMs = performance.now()
  const deadlineMs = startedMs + timeoutMs
  const name = connection.readCredential ?? connection.credential
  const credential = await runtime.credentials.prepare({
    tenantId,
    name: typeof name === 'string' ? name : null,
    auth: objectOf(connector.auth),
    config,
    request,
    allowPrivate,
    deadlineMs,
    signal: null,
  })
  if (credential.kind !== 'ready') return failed(credential.reason)
  const answer = await runtime.broker.call({
    class: 'read',
    tenantId,
    allowed: { hosts: egressOf(footing, baseUrl), allowPrivate },
    ...request,
    credentials: credential.credentials,
    deadlineMs,
    responseBytesMax: 1_048_576,
    signal: null,
    token: null,
  })
  if (answer.kind === 'gated') return failed('the host asked to be left alone')
  if (answer.kind === 'unconnected') return failed(`no connection: ${answer.detail}`)
  if (answer.kind === 'broken') return failed(`${answer.reason}: ${answer.detail}`, answer.status)
  if (answer.kind !== 'answered') return failed(answer.reason)
  if (answer.status === 401) await credential.rejected()
  const { status } = answer
  if (status !== expected) return failed(`it answered HTTP ${status}, and ${expected} was expected`, status)
  return { kind: 'alive', status, tookMs: Math.round(performance.now() - startedMs) }
}

function failed(reason: string, status: number | null = null): Probe {
  return { kind: 'failed', reason, status }
}
