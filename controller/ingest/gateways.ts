import { hash, timingSafeEqual } from 'node:crypto'
import { ratePerSecond } from '../../schemas/index.ts'
import { formatAddress } from '../domain/address.ts'
import type { NewEvent } from '../domain/envelope.ts'
import { FibricError } from '../domain/errors.ts'
import { compileGlob } from '../domain/glob.ts'
import type { TenantId } from '../domain/ids.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { Database } from '../store/connect.ts'
import { readContents } from '../store/contents.ts'
import { readLastReceipts } from '../store/objects.ts'
import type { Quota } from './meters.ts'

/** A Gateway as applied. */
export interface GatewayInForce {
  readonly name: string
  /** Globs of the event types it may send. */
  readonly types: readonly string[]
  readonly quota: Quota | null
  /** Name of the credential it presents; null where any key of the tenant with the scope may speak for it. */
  readonly credential: string | null
}

/** The applied Gateway of a name. `NOT_FOUND` where the tenant has no such gateway. */
export async function gatewayInForce(
  database: Database,
  tenantId: TenantId,
  slug: string,
  name: string,
): Promise<GatewayInForce> {
  const address = formatAddress(slug, 'Gateway', name)
  const bytes = await database.asWorker(
    [tenantId],
    async (tx) => {
      const [receipt] = await readLastReceipts(tx, [{ tenantId, address }])
      const digest = receipt?.receipted_digest
      return digest ? (await readContents(tx, [{ tenantId, digest }])).get(digest) : undefined
    },
    { access: 'read only' },
  )
  if (!bytes) throw new FibricError('NOT_FOUND', `there is no gateway \`${name}\``)
  const { spec } = JSON.parse(bytes.toString('utf8')) as ResourceContent
  return {
    name,
    types: spec.events as readonly string[],
    quota: typeof spec.rate === 'string' ? quotaOf(spec.rate) : null,
    credential: typeof spec.credential === 'string' ? spec.credential : null,
  }
}

/** Refuses whoever does not present one of the live values of the gateway's credential. */
export function refuseOtherCredential(
  { name }: GatewayInForce,
  presented: string | null,
  live: readonly Uint8Array[],
): void {
  const digest = hash('sha256', presented ?? '', 'buffer')
  if (presented !== null && live.some((value) => timingSafeEqual(hash('sha256', value, 'buffer'), digest))) return
  throw new FibricError('KEY_INVALID', `the request does not present the credential of the gateway \`${name}\``, {
    hint: 'send its value in the header Fibric-Gateway-Credential',
  })
}

const minuteMs = 60_000

/** `100/s` as a window of a minute at least: a gateway sends in batches. */
function quotaOf(rate: string): Quota | null {
  const perSecond = ratePerSecond(rate)
  if (perSecond === null) return null
  const windowMs = Math.max(minuteMs, { s: 1_000, m: minuteMs, h: 3_600_000, d: 86_400_000 }[rate.at(-1) as 's'])
  return { max: Math.round((perSecond * windowMs) / 1000), windowMs }
}

/** A batch is taken whole or not at all. */
export function refuseOtherTypes({ name, types }: GatewayInForce, events: readonly NewEvent[]): void {
  const globs = types.map(compileGlob)
  const other = events.find((event) => !globs.some((glob) => glob.matches(event.eventType)))
  if (!other) return
  throw new FibricError('INSUFFICIENT_SCOPE', `the gateway \`${name}\` may not send \`${other.eventType}\``, {
    hint: `it may send ${types.join(', ')}`,
  })
}
