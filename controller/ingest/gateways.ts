import { formatAddress } from '../domain/address.ts'
import type { NewEvent } from '../domain/envelope.ts'
import { FibricError } from '../domain/errors.ts'
import { compileGlob } from '../domain/glob.ts'
import type { TenantId } from '../domain/ids.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { Database } from '../store/connect.ts'
import { readContents } from '../store/contents.ts'
import { readLastReceipts } from '../store/objects.ts'

/** The event types an applied Gateway may send. `NOT_FOUND` where the tenant has no such gateway. */
export async function gatewayTypes(
  database: Database,
  tenantId: TenantId,
  slug: string,
  name: string,
): Promise<readonly string[]> {
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
  return spec.events as readonly string[]
}

/** A batch is taken whole or not at all. */
export function refuseOtherTypes(name: string, types: readonly string[], events: readonly NewEvent[]): void {
  const globs = types.map(compileGlob)
  const other = events.find((event) => !globs.some((glob) => glob.matches(event.eventType)))
  if (!other) return
  throw new FibricError('INSUFFICIENT_SCOPE', `the gateway \`${name}\` may not send \`${other.eventType}\``, {
    hint: `it may send ${types.join(', ')}`,
  })
}
