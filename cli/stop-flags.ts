import { Flags } from '@oclif/core'
import { scopeFlags } from './scope-flags.ts'

/** Which effects `stop` and `start` mean. */
export const stopFlags = {
  tenant: scopeFlags.onlyTenant,
  operator: Flags.string({ description: 'those of one operator', exclusive: ['capability', 'connection'] }),
  capability: Flags.string({ description: 'those of a capability, or of a glob of them', exclusive: ['connection'] }),
  connection: Flags.string({ description: 'those of one connection' }),
}

/** What a stop stops, as the API has it. */
export type Stopped =
  | { readonly scope: 'tenant' }
  | { readonly scope: 'operator' | 'capability' | 'connection'; readonly name: string }

interface Given {
  readonly operator?: string | undefined
  readonly capability?: string | undefined
  readonly connection?: string | undefined
}

export function stoppedOf({ operator, capability, connection }: Given): Stopped {
  if (operator !== undefined) return { scope: 'operator', name: operator }
  if (capability !== undefined) return { scope: 'capability', name: capability }
  if (connection !== undefined) return { scope: 'connection', name: connection }
  return { scope: 'tenant' }
}

export function sayStop(what: Stopped, tenant: string): string {
  return what.scope === 'tenant' ? `\`${tenant}\`` : `the ${what.scope} \`${what.name}\` of \`${tenant}\``
}
