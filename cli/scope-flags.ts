import { Flags } from '@oclif/core'
import { parseAddress } from '../controller/domain/address.ts'
import { FibricError } from '../controller/domain/errors.ts'
import type { Address, Slug } from '../controller/domain/ids.ts'
import type { Scope } from '../controller/domain/scope.ts'

/** Flags that narrow what a command looks at. */
export const scopeFlags = {
  tenant: Flags.string({ description: 'one tenant only (FIBRIC_TENANT)', env: 'FIBRIC_TENANT' }),
  /** Of what belongs to one tenant: the server knows which it is where a key, or the deployment, has one. */
  onlyTenant: Flags.string({
    description: 'its tenant; default: the one there is (FIBRIC_TENANT)',
    env: 'FIBRIC_TENANT',
  }),
  target: Flags.string({ description: 'one address and what it depends on', multiple: true, multipleNonGreedy: true }),
  selector: Flags.string({ char: 'l', description: 'resources with these labels: key=value[,key=value]' }),
}

export interface ScopeFlags {
  readonly tenant?: string | undefined
  readonly target?: readonly string[] | undefined
  readonly selector?: string | undefined
}

export function scopeOf(flags: ScopeFlags): Omit<Scope, 'broken'> {
  return {
    slug: (flags.tenant ?? null) as Slug | null,
    targets: (flags.target ?? []).map(addressOf),
    labels: labelsOf(flags.selector),
  }
}

export function addressOf(text: string): Address {
  if (parseAddress(text)) return text as Address
  throw new FibricError('USAGE', `\`${text}\` is no address`, {
    hint: 'write it as <tenant>/<Kind>/<name>: acme/Operator/order-risk',
  })
}

/** The route of one applied resource. */
export const oneResource = '/v1/config/resources/{tenant}/{kind}/{name}'

/** An address as the parameters of a path. */
export function partsOf(address: Address): { readonly tenant: string; readonly kind: string; readonly name: string } {
  const [tenant = '', kind = '', ...name] = address.split('/')
  return { tenant, kind, name: name.join('/') }
}

export function labelsOf(selector: string | undefined): { [key: string]: string } {
  const labels: { [key: string]: string } = {}
  for (const pair of selector?.split(',') ?? []) {
    const [key, value, ...rest] = pair.split('=')
    if (!key || value === undefined || rest.length > 0) {
      throw new FibricError('USAGE', `\`${pair}\` is no label selector`, { hint: 'write it as key=value: -l team=ops' })
    }
    labels[key] = value
  }
  return labels
}
