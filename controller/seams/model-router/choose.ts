import { platformSlug, platformTenantId, type TenantId } from '../../domain/ids.ts'
import { isJsonObject, type JsonObject } from '../../domain/json.ts'
import {
  budgetOf,
  chooseModel,
  type ModelChoice,
  type ModelChoiceInput,
  type ModelDocument,
} from '../../domain/model-choice.ts'
import type { ResourceContent } from '../../domain/resource.ts'
import type { Database } from '../../store/connect.ts'
import { readDomains } from '../../store/domains.ts'
import { type ReceiptedObject, readReceipted } from '../../store/objects.ts'

const kinds = ['Model', 'ModelPolicy', 'ServiceTier', 'Tenant']

/**
 * What the applied policies say for a domain, read for every question: a call takes seconds, this a few milliseconds, and a
 * residency rule holds from the moment it is applied.
 */
export async function chooseFor(
  database: Database,
  tenantId: TenantId,
  alias: string | null,
  scriptedAllowed: boolean,
): Promise<ModelChoice> {
  const input = await readModelPolicies(database, tenantId, scriptedAllowed)
  if (input === null) return { kind: 'none', reason: 'its tenant is not there any more' }
  const choice = chooseModel({ ...input, alias })
  if (choice.kind === 'none') return choice
  // What it limited is not known any more.
  if (input.tier === null)
    return { kind: 'none', reason: "the content of the tenant's ServiceTier is gone: apply it again" }
  return { ...choice, budgets: [...choice.budgets, ...input.tier] }
}

export type ModelPolicies = Omit<ModelChoiceInput, 'alias'> & {
  /** What the tenant's ServiceTier lets it spend on models; null when that cannot be read. */
  readonly tier: ReturnType<typeof budgetOf> | null
}

/** Everything that says which models a domain may ask; null for a domain that is not there. */
export async function readModelPolicies(
  database: Database,
  tenantId: TenantId,
  scriptedAllowed: boolean,
): Promise<ModelPolicies | null> {
  const tenants = [...new Set([tenantId, platformTenantId])]
  const { slug, objects } = await database.asWorker(
    tenants,
    async (tx) => ({
      slug: (await readDomains(tx)).find((domain) => domain.tenant_id === tenantId)?.slug ?? null,
      objects: await readReceipted(tx, tenants, kinds),
    }),
    { access: 'read only', isolation: 'repeatable read' },
  )
  if (slug === null) return null
  const policies = objects.filter(({ kind }) => kind === 'ModelPolicy')
  const tenant = named(objects, 'Tenant', slug)
  return {
    slug,
    platform:
      slug === platformSlug ? [] : policies.filter((each) => each.tenant_id === platformTenantId).map(documentOf),
    own: policies.filter((each) => each.tenant_id === tenantId).map(documentOf),
    models: new Map(
      objects.filter(({ kind }) => kind === 'Model').map((each) => [nameOf(each), documentOf(each)] as const),
    ),
    scripted: scriptedAllowed || tenant?.environment === 'sandbox',
    tier: tierBudget(objects, slug),
  }
}

function tierBudget(objects: readonly ReceiptedObject[], slug: string): ModelPolicies['tier'] {
  if (slug === platformSlug) return []
  const tenant = named(objects, 'Tenant', slug)
  if (tenant === null) return null
  if (typeof tenant.tier !== 'string') return []
  const tier = named(objects, 'ServiceTier', tenant.tier)
  if (tier === null) return null
  return isJsonObject(tier.quotas) ? budgetOf(`${platformSlug}/ServiceTier/${tenant.tier}`, tier.quotas.modelSpend) : []
}

function named(objects: readonly ReceiptedObject[], kind: string, name: string): JsonObject | null {
  const found = objects.find((each) => each.kind === kind && nameOf(each) === name)
  return found ? documentOf(found).spec : null
}

function nameOf({ address }: ReceiptedObject): string {
  return address.slice(address.lastIndexOf('/') + 1)
}

function documentOf({ address, digest, bytes }: ReceiptedObject): ModelDocument {
  return { address, digest, spec: bytes === null ? null : (JSON.parse(bytes.toString('utf8')) as ResourceContent).spec }
}
