import type { TenantId } from '../domain/ids.ts'
import { baseUrlOf, type Footing } from './binding.ts'
import type { Carrier } from './carrier.ts'
import type { Installed } from './catalog.ts'
import { askOnce } from './read.ts'
import { objectOf, RenderError, renderRequest } from './request.ts'

/** Whether a connection is alive, and if not, why not. */
export type Probe =
  | { readonly kind: 'alive'; readonly status: number; readonly tookMs: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly status: number | null }
  /** The connector says no way of finding out. */
  | { readonly kind: 'unprobed'; readonly reason: string }

const timeoutMs = 10_000

/** Makes the request of the connector's `probe`, with the credential reads use, and compares the status. */
export async function probe(carrier: Carrier, tenant: TenantId, { spec, connector }: Installed): Promise<Probe> {
  if (spec === null || !connector?.spec) return failed('its content or that of its connector is gone: apply it again')
  const { probe: described, runtime } = connector.spec
  if (runtime !== 'http') {
    return { kind: 'unprobed', reason: `this version probes \`runtime: http\`, and not \`${String(runtime)}\`` }
  }
  if (described === undefined) return { kind: 'unprobed', reason: 'its connector has no `probe`' }
  try {
    return await ask(carrier, tenant, { connection: spec, connector: connector.spec })
  } catch (error) {
    if (error instanceof RenderError) return failed(error.message)
    throw error
  }
}

async function ask(carrier: Carrier, tenant: TenantId, footing: Footing): Promise<Probe> {
  const config = objectOf(footing.connection.config)
  const described = objectOf(footing.connector.probe)
  const request = renderRequest(objectOf(described.http), baseUrlOf(footing), { config })
  const startedMs = performance.now()
  const asked = await askOnce(carrier, { tenant, config }, footing, request, {
    vouched: false,
    timeoutMs,
    signal: null,
  })
  if ('problem' in asked) return failed(asked.problem, asked.status)
  const { status } = asked.answer
  const expected = Number(objectOf(described.expect).status ?? 200)
  if (status !== expected) return failed(`it answered HTTP ${status}, and ${expected} was expected`, status)
  return { kind: 'alive', status, tookMs: Math.round(performance.now() - startedMs) }
}

function failed(reason: string, status: number | null = null): Probe {
  return { kind: 'failed', reason, status }
}
