import { formatAddress } from '../../controller/domain/address.ts'
import type { Placed } from './facts.ts'
import type { Findings } from './findings.ts'
import { platformFolder } from './paths.ts'
import type { LoadedResource, ResourceIndex } from './resources.ts'

/** Scripted models answer from a recording: a production tenant that is given one is told, and only `up` runs it. */
export function checkModels(index: ResourceIndex, findings: Findings): void {
  const environments = new Map<string, string>()
  for (const { slug, facts } of index.values()) {
    if (facts.claims.of === 'tenant') environments.set(slug, facts.claims.environment)
  }
  const check = (resource: LoadedResource, tenant: string, model: Placed) => {
    if (environments.get(tenant) !== 'production') return
    const claims = index.get(formatAddress(platformFolder, 'Model', model.value))?.facts.claims
    if (claims?.of !== 'model' || claims.provider !== 'scripted') return
    findings.add({
      code: 'SCRIPTED_MODEL',
      severity: 'warning',
      message: `the model \`${model.value}\` is scripted, and \`${tenant}\` is a production tenant`,
      hint: 'scripted models answer in sandbox tenants and under `fibric up` only',
      path: resource.path,
      place: model.place,
    })
  }
  for (const resource of index.values()) {
    const { claims } = resource.facts
    if (claims.of !== 'model policy' || resource.inheritedFrom) continue
    if (resource.slug !== platformFolder) for (const model of claims.models) check(resource, resource.slug, model)
    for (const [tenant, model] of claims.perTenant) check(resource, tenant, model)
  }
}
