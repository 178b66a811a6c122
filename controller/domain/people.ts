import { kindOf, slugOf } from './address.ts'
import type { Address, Slug, TenantId } from './ids.ts'
import { isJsonObject } from './json.ts'
import type { ResourceContent } from './resource.ts'

/** A User as it is applied. */
export interface Person {
  readonly address: Address
  readonly owner: TenantId
  readonly slug: Slug
  readonly roles: readonly string[]
  readonly emails: readonly string[]
  readonly signingKeys: readonly string[]
  readonly superAdmin: boolean
}

/** The kinds that say who people are and what they may decide. */
export const peopleKinds: readonly string[] = ['User', 'Role']

/** The Users of some domains, and which of their roles let them approve. */
export class People {
  readonly #people = new Map<Address, Person>()
  /** `<slug>/Role/<name>` of every Role with the verb `approve`. */
  readonly #approving = new Set<Address>()

  constructor(objects: readonly { address: Address; owner: TenantId; content: ResourceContent | null }[] = []) {
    for (const object of objects) this.replace(object.address, null, object)
  }

  get all(): readonly Person[] {
    return [...this.#people.values()]
  }

  get(address: string): Person | null {
    return this.#people.get(address as Address) ?? null
  }

  /** Whether a role of the person lets them approve in their own domain. */
  approves(person: Person): boolean {
    return person.roles.some((role) => this.#approving.has(`${person.slug}/Role/${role}` as Address))
  }

  holders(slug: Slug, role: string): readonly Person[] {
    return this.all.filter((person) => person.slug === slug && person.roles.includes(role))
  }

  replace(
    address: Address,
    before: Address | null,
    object: { owner: TenantId; content: ResourceContent | null } | null,
  ): void {
    if (!peopleKinds.includes(kindOf(address))) return
    this.#people.delete(before ?? address)
    this.#approving.delete(before ?? address)
    if (!object?.content) return
    if (kindOf(address) === 'User') this.#people.set(address, personOf(address, object.owner, object.content))
    else if (allowsApproval(object.content)) this.#approving.add(address)
  }

  copy(): People {
    const copy = new People()
    for (const person of this.#people.values()) copy.#people.set(person.address, person)
    for (const role of this.#approving) copy.#approving.add(role)
    return copy
  }
}

function personOf(address: Address, owner: TenantId, content: ResourceContent): Person {
  const { roles, emails, signingKeys, superAdmin } = content.spec
  return {
    address,
    owner,
    slug: slugOf(address),
    roles: texts(roles),
    emails: texts(emails),
    signingKeys: texts(signingKeys),
    superAdmin: superAdmin === true,
  }
}

function allowsApproval(role: ResourceContent): boolean {
  const { allow } = role.spec
  return Array.isArray(allow) && allow.some((grant) => isJsonObject(grant) && texts(grant.verbs).includes('approve'))
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
