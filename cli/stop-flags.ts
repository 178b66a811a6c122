import { Flags } from '@oclif/core'
import { FibricError } from '../controller/domain/errors.ts'
import { scopeFlags } from './scope-flags.ts'

/** Which effects `stop` and `start` mean. */
export const stopFlags = {
  tenant: scopeFlags.tenant,
  operator: Flags.string({ description: 'those of one operator', exclusive: ['capability', 'connection'] }),
  capability: Flags.string({ description: 'those of a capability, or of a glob of them', exclusive: ['connection'] }),
  connection: Flags.string({ description: 'those of one connection' }),
}

/** What a stop stops, as the API has it. */
export type Stopped =
  | { readonly scope: 'tenant' }
  | { readonly scope: 'operator' | 'capability' | 'connection'; readonly name: string }

interface Given {
  readonly tenant?: string | undefined
  readonly operator?: string | undefined
  readonly capability?: string | undefined
  readonly connection?: string | undefined
}

export function stoppedOf({ tenant, operator, capability, connection }: Given): { tenant: string; what: Stopped } {
  if (tenant === undefined) {
    throw new FibricError('USAGE', 'effects belong to a tenant, and none is named', { hint: 'name it: --tenant acme' })
  }
  if (operator !== undefined) return { tenant, what: { scope: 'operator', name: operator } }
  if (capability !== undefined) return { tenant, what: { scope: 'capability', name: capability } }
  if (connection !== undefined) return { tenant, what: { scope: 'connection', name: connection } }
  return { tenant, what: { scope: 'tenant' } }
}

export function sayStop(what: Stopped, tenant: string): string {
  return what.scope === 'tenant' ? `\`${tenant}\`` : `the ${what.scope} \`${what.name}\` of \`${tenant}\``
}
