import { formatAddress } from '../../controller/domain/address.ts'
import type { Address } from '../../controller/domain/ids.ts'
import { closest } from '../suggest.ts'
import type { ReferenceFact } from './facts.ts'
import type { Findings } from './findings.ts'
import { platformFolder } from './paths.ts'
import type { LoadedResource, ResourceIndex } from './resources.ts'

/** Resolves every reference, in the own domain first, then in `_platform`; what means nothing is a finding with a guess. */
export function resolveReferences(index: ResourceIndex, findings: Findings): void {
  const guess = guesser(index)
  for (const resource of index.values()) {
    const { references } = resource.facts
    if (references.length === 0) continue
    const resolved = new Set<Address>()
    for (const reference of references) {
      const address = resolve(resource.slug, reference, index)
      if (address) resolved.add(address)
      // What a sandbox inherits was judged where it is written, except for what only the sandbox lacks.
      else if (!resource.inheritedFrom) findings.add(unknown(resource, reference, guess(resource, reference)))
    }
    resource.references = resolved.size > 1 ? [...resolved].sort() : [...resolved]
  }
}

function resolve(slug: string, { kinds, value }: ReferenceFact, index: ResourceIndex): Address | null {
  for (const kind of kinds) {
    for (const address of candidates(slug, kind, value)) if (index.has(address)) return address
  }
  return null
}

/** A Tenant lies in the folder of its own name; everything else in the own domain or in `_platform`. */
function candidates(slug: string, kind: string, name: string): Address[] {
  if (kind === 'Tenant') return [formatAddress(name, kind, name)]
  const own = formatAddress(slug, kind, name)
  return slug === platformFolder ? [own] : [own, formatAddress(platformFolder, kind, name)]
}

function unknown(resource: LoadedResource, { kinds, value, place }: ReferenceFact, hint: string | null) {
  const where = resource.slug === platformFolder ? '`_platform`' : `\`${resource.slug}\` or \`_platform\``
  const what = kinds.length === 0 ? 'resource' : kinds.join(' or ')
  const message =
    kinds[0] === 'Tenant' ? `there is no Tenant \`${value}\`` : `there is no ${what} \`${value}\` in ${where}`
  return { code: 'UNKNOWN_REFERENCE', message, hint, path: resource.path, place }
}

// Comparing with every name costs; a repository with thousands of dangling references has one cause, not thousands.
const guessesMax = 200

function guesser(index: ResourceIndex) {
  let guesses = 0
  return ({ slug }: LoadedResource, { kinds, value }: ReferenceFact): string | null => {
    if (++guesses > guessesMax) return null
    const names = new Set<string>()
    for (const { slug: other, facts } of index.values()) {
      if (!kinds.includes(facts.kind)) continue
      if (other === slug || other === platformFolder || facts.kind === 'Tenant') names.add(facts.name)
    }
    const [name] = value.split('@')
    const versions = [...names].filter((each) => each.startsWith(`${name}@`)).sort()
    if (versions.length > 0) return `there is ${versions.map((each) => `\`${each}\``).join(', ')}`
    const near = closest(value, names)
    if (near) return `did you mean \`${near}\`?`
    return names.size === 0 ? `there is no ${kinds.join(' or ')} at all` : null
  }
}
