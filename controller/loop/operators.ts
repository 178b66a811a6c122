import { compileGlob } from '../domain/glob.ts'
import { type Address, type Digest, platformTenantId, type Slug, type TenantId } from '../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { TenantFacts } from '../domain/rules.ts'
import { type DomainRow, readDomains } from '../store/domains.ts'
import { readReceipted } from '../store/objects.ts'
import { readPauses } from '../store/runs.ts'
import type { Transaction } from '../store/tenancy.ts'

/** An operator as it is applied, by receipted digest, and whether it runs. */
export interface OperatorInForce {
  readonly domain: DomainRow
  readonly tenant: TenantFacts
  /** Stays when the operator is renamed: cursors and keys are by it. */
  readonly id: string
  readonly name: string
  readonly address: Address
  readonly digest: Digest
  readonly commit: string | null
  readonly state: 'active' | 'paused' | 'draft'
  /** Why it does not run although its document says so. */
  readonly paused: string | null
  readonly trigger: Trigger
  readonly capabilities: readonly string[]
  readonly sense: readonly Sense[]
  readonly reason: JsonObject
  readonly spec: JsonObject
}

export interface Trigger {
  readonly on: readonly string[]
  readonly every: string | null
  readonly cron: string | null
  readonly timeZone: string | null
  readonly ask: boolean
  readonly orderBy: string | null
}

export interface Sense {
  readonly as: string
  readonly capability: string
  readonly args: JsonObject
}

/** Every operator of some domains, whatever its state. */
export async function readOperators(tx: Transaction, tenants: readonly TenantId[]): Promise<OperatorInForce[]> {
  const domains = new Map((await readDomains(tx)).map((row) => [row.tenant_id, row]))
  const objects = await readReceipted(tx, tenants, ['Operator'])
  // Tenant documents belong to the platform.
  const documents = await readReceipted(tx, [platformTenantId], ['Tenant'])
  const pauses = new Map((await readPauses(tx, tenants)).map((row) => [row.address, row]))
  return objects.flatMap((object) => {
    const domain = domains.get(object.tenant_id)
    // Content that is gone closes its domain until an apply brings it back.
    if (!domain || object.bytes === null || object.object_id === null) return []
    const document = documents.find(({ address }) => address === tenantAddress(domain.slug))
    const tenantSpec = document?.bytes ? contentOf(document.bytes).spec : null
    const pause = pauses.get(object.address)
    const suspended = tenantSpec?.state === 'suspended' ? 'its tenant is suspended' : null
    return [
      operatorOf(
        domain,
        tenantFacts(domain, tenantSpec),
        { ...object, object_id: object.object_id, content: contentOf(object.bytes) },
        pause ? `paused by ${pause.person}: ${pause.reason}` : suspended,
      ),
    ]
  })
}

function operatorOf(
  domain: DomainRow,
  tenant: TenantFacts,
  object: {
    readonly object_id: string
    readonly address: Address
    readonly digest: Digest
    readonly commit_sha: string | null
    readonly content: ResourceContent
  },
  paused: string | null,
): OperatorInForce {
  const { spec } = object.content
  const trigger = isJsonObject(spec.trigger) ? spec.trigger : {}
  return {
    domain,
    tenant,
    id: object.object_id,
    name: object.address.split('/').at(-1)!,
    address: object.address,
    digest: object.digest,
    commit: object.commit_sha,
    state: (spec.state ?? 'active') as OperatorInForce['state'],
    paused,
    trigger: {
      on: texts(trigger.on),
      every: text(trigger.every),
      cron: text(trigger.cron),
      timeZone: text(trigger.timeZone),
      ask: trigger.ask === true,
      orderBy: text(trigger.orderBy),
    },
    capabilities: texts(spec.capabilities),
    sense: objects(spec.sense).map((each) => ({
      as: String(each.as),
      capability: String(each.capability),
      args: isJsonObject(each.args) ? each.args : {},
    })),
    reason: isJsonObject(spec.reason) ? spec.reason : {},
    spec,
  }
}

export function runs(operator: OperatorInForce): boolean {
  return operator.state === 'active' && operator.paused === null
}

/**
 * Whether an event type starts a run. The platform's own events reach only who wrote them out: a glob that says nothing of
 * `fibric` means the world outside.
 */
export function isTriggeredBy({ on }: Trigger, eventType: string): boolean {
  const ours = eventType === 'fibric' || eventType.startsWith('fibric.')
  return on.some((glob) => (!ours || glob.startsWith('fibric.')) && compileGlob(glob).matches(eventType))
}

/** The consumer of the event bus that an operator's cursor belongs to. */
export function consumerOf({ id }: Pick<OperatorInForce, 'id'>): string {
  return `operator:${id}`
}

function tenantFacts(domain: DomainRow, spec: JsonObject | null): TenantFacts {
  return {
    id: domain.tenant_id,
    slug: domain.slug,
    reseller: text(spec?.reseller),
    environment: text(spec?.environment),
  }
}

function tenantAddress(slug: Slug): string {
  return `${slug}/Tenant/${slug}`
}

function contentOf(bytes: Buffer): ResourceContent {
  return JSON.parse(bytes.toString('utf8')) as ResourceContent
}

function text(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null
}

function texts(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter((item) => isJsonObject(item)) : []
}
