import { slugOf } from './address.ts'
import type { Address, Slug } from './ids.ts'

/** What of the repository and of the state a plan looks at. All parts must hold; none at all is everything. */
export interface Scope {
  readonly slug: Slug | null
  /** Addresses, each with what it depends on. */
  readonly targets: readonly Address[]
  readonly labels: { readonly [key: string]: string }
  /** Domains of which nothing may be touched, since a file of theirs cannot be read. */
  readonly broken: readonly Slug[]
}

export const wholeScope: Scope = { slug: null, targets: [], labels: {}, broken: [] }

interface Scoped {
  readonly address: Address
  readonly labels: { readonly [key: string]: string }
}

/** Whether a resource or an object is looked at. `targets` is the closure `withDependencies` computed. */
export function inScope(scope: Scope, targets: ReadonlySet<Address> | null, object: Scoped): boolean {
  const slug = slugOf(object.address)
  if (scope.broken.includes(slug)) return false
  if (scope.slug !== null && slug !== scope.slug) return false
  if (targets !== null && !targets.has(object.address)) return false
  return Object.entries(scope.labels).every(([key, value]) => object.labels[key] === value)
}

/** The targets and everything they refer to, directly or not; null when there are none, which means everything. */
export function withDependencies(
  targets: readonly Address[],
  referencesOf: (address: Address) => readonly Address[],
): Set<Address> | null {
  if (targets.length === 0) return null
  const closure = new Set<Address>()
  const pending = [...targets]
  for (let address = pending.pop(); address !== undefined; address = pending.pop()) {
    if (closure.has(address)) continue
    closure.add(address)
    pending.push(...referencesOf(address))
  }
  return closure
}

export function isWhole(scope: Scope): boolean {
  return scope.slug === null && scope.targets.length === 0 && Object.keys(scope.labels).length === 0
}
