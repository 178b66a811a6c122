import { durationMs } from '../../schemas/index.ts'
import { slugOf } from '../domain/address.ts'
import { FibricError } from '../domain/errors.ts'
import { platformSlug, type TenantId } from '../domain/ids.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import type { PollCursor } from '../domain/poll.ts'
import { baseUrlOf, type Footing } from './binding.ts'
import type { Carrier } from './carrier.ts'
import type { Installed } from './catalog.ts'
import { retryAfterMs } from './egress/rate-gates.ts'
import { timeoutMsOf } from './planning.ts'
import { askOnce } from './read.ts'
import { objectOf, RenderError, type RenderedRequest, renderRequest } from './request.ts'

/** An event of `kind: poll` that a connection brings. */
export interface InstalledPoll {
  readonly tenantId: TenantId
  readonly slug: string
  readonly connectionId: string
  readonly connection: string
  readonly eventType: string
  readonly everyMs: number
  readonly overlapMs: number
  readonly tied: boolean
  readonly pagesMax: number
  readonly config: JsonObject
  readonly event: JsonObject
}

export type PollRequestAnswer =
  | {
      readonly kind: 'answered'
      readonly headers: { readonly [name: string]: string }
      readonly status: number
      readonly body: Buffer
      readonly redact: (value: Json) => Json
    }
  | {
      readonly kind: 'failed'
      readonly reason: string
      readonly status: number | null
      readonly retryAfterMs: number | null
      /** The page that was remembered makes no request: only a pass from its beginning can go on. */
      readonly pageUnusable: boolean
    }

const everyMsMin = 1_000
const everyMsDefault = 60_000
const pagesMaxDefault = 100

/** The polls of some domains, as their connections and connectors are applied. */
export async function installedPolls(carrier: Carrier, tenants: readonly TenantId[]): Promise<InstalledPoll[]> {
  const catalogs = await Promise.all(
    tenants.map(async (tenantId) => [tenantId, await carrier.catalog.of(tenantId)] as const),
  )
  return catalogs.flatMap(([tenantId, { connections }]) =>
    connections.flatMap((installed) => pollsOf(tenantId, installed)),
  )
}

function pollsOf(tenantId: TenantId, { id, address, name, spec, connector }: Installed): InstalledPoll[] {
  if (id === null || spec === null || !connector?.spec || connector.spec.runtime !== 'http') return []
  return Object.entries(objectOf(connector.spec.events)).flatMap(([eventType, described]) => {
    const event = objectOf(described)
    if (event.kind !== 'poll') return []
    const pages = objectOf(event.pages)
    return {
      tenantId,
      slug: slugOf(address),
      connectionId: id,
      connection: name,
      eventType,
      everyMs: Math.max(everyMsMin, msOf(event.every) ?? everyMsDefault),
      overlapMs: msOf(event.overlap) ?? 0,
      tied: event.tieBreak !== undefined,
      pagesMax: typeof pages.max === 'number' ? pages.max : pagesMaxDefault,
      config: objectOf(spec.config),
      event,
    }
  })
}

/** One request of a poll: the first of a pass from the cursor, or a further page. Never throws for what a host does. */
export async function askPoll(
  carrier: Carrier,
  poll: InstalledPoll,
  at: { readonly cursor: PollCursor | null; readonly next: string | null },
  signal: AbortSignal,
): Promise<PollRequestAnswer> {
  try {
    const { connections } = await carrier.catalog.of(poll.tenantId)
    const installed = connections.find(({ id }) => id === poll.connectionId)
    if (!installed?.spec || !installed.connector?.spec) return failed('its connection is gone', null)
    const footing = { connection: installed.spec, connector: installed.connector.spec }
    const request = requestOf(poll, footing, at)
    const asked = await askOnce(carrier, { tenant: poll.tenantId, config: poll.config }, footing, request, {
      vouched: slugOf(installed.connector.address) === platformSlug,
      timeoutMs: timeoutMsOf({ http: objectOf(poll.event.request) }),
      signal,
    })
    if ('problem' in asked) return failed(asked.problem, asked.status)
    const { status, headers, body } = asked.answer
    if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
      return failed('the answer is compressed, and was asked not to be', null)
    }
    if (status >= 200 && status <= 299) {
      return { kind: 'answered', status, headers, body, redact: (value) => asked.credential.redactor.json(value) }
    }
    return { ...failed(`HTTP ${status}`, status), retryAfterMs: retryAfterMs(headers['retry-after'], Date.now()) }
  } catch (error) {
    if (error instanceof RenderError) return { ...failed(error.message, null), pageUnusable: at.next !== null }
    if (error instanceof FibricError && error.code !== 'DATABASE_UNAVAILABLE') {
      return failed(`${error.code}: ${error.message}`, null)
    }
    throw error
  }
}

function requestOf(
  poll: InstalledPoll,
  footing: Footing,
  { cursor, next }: { readonly cursor: PollCursor | null; readonly next: string | null },
): RenderedRequest {
  const url = `/v1/t/${poll.slug}/ingest/${poll.connection}/${poll.eventType}`
  const asked = { value: cursor?.value ?? null, tie: cursor?.tie ?? null }
  const names = { config: poll.config, ingest: { url }, cursor: asked }
  const base = baseUrlOf(footing)
  const request = renderRequest(objectOf(poll.event.request), base, names)
  return next === null ? request : { ...request, url: pageUrl(next, request.url) }
}

/** Where a page says the next one is. It never leaves the origin: the credential goes with it. */
function pageUrl(next: string, current: string): string {
  const from = new URL(current)
  const url = URL.parse(next, current)
  if (url === null) throw new RenderError('`pages.next` does not make a URL')
  if (url.origin !== from.origin || url.username !== '' || url.password !== '') {
    throw new RenderError('`pages.next` leads to another origin')
  }
  url.hash = ''
  return url.href
}

function msOf(text: Json | undefined): number | null {
  return typeof text === 'string' ? durationMs(text) : null
}

function failed(reason: string, status: number | null): PollRequestAnswer & { readonly kind: 'failed' } {
  return { kind: 'failed', reason, status, retryAfterMs: null, pageUnusable: false }
}
