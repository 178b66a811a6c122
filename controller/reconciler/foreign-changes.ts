import type { Change } from '../domain/change.ts'
import { FibricError } from '../domain/errors.ts'
import type { Actor } from '../tenancy/actor.ts'
import { type Actual, tenantOf } from './actual.ts'

/** A key of one tenant changes that tenant alone. */
export function refuseForeignChanges(actor: Actor, actual: Pick<Actual, 'domains'>, changes: readonly Change[]): void {
  if (actor.tenantId === null) return
  const foreign = changes.find((change) => tenantOf(actual, change.address) !== actor.tenantId)
  if (!foreign) return
  throw new FibricError('INSUFFICIENT_SCOPE', `the key of \`${actor.person}\` may not change \`${foreign.address}\``, {
    hint: 'narrow the plan to your own tenant: --tenant SLUG',
  })
}
