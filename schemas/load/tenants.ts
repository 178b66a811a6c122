import type { Findings } from './findings.ts'
import { platformFolder } from './paths.ts'
import type { ResourceIndex } from './resources.ts'

/** What the documents of a domain must be because of what its tenant is. */
export function checkTenants(index: ResourceIndex, findings: Findings): void {
  const sandboxes = new Set<string>()
  let mcpCommands: readonly string[] = []
  for (const { slug, facts } of index.values()) {
    if (facts.claims.of === 'tenant' && facts.claims.environment === 'sandbox') sandboxes.add(slug)
    if (facts.claims.of === 'deployment') mcpCommands = facts.claims.mcpCommands
  }
  for (const { slug, facts, path, inheritedFrom } of index.values()) {
    const { claims } = facts
    if (inheritedFrom) continue
    if (claims.of === 'connection' && sandboxes.has(slug) && !claims.sandboxed) {
      const message = `\`${slug}\` is a sandbox, and its connections must be sandboxed`
      const hint = 'write `transport: sandbox`'
      findings.add({ code: 'TRANSPORT_NOT_SANDBOX', message, hint, path, place: claims.transport })
    }
    if (
      claims.of === 'connector' &&
      claims.mcpCommand &&
      slug !== platformFolder &&
      !mcpCommands.includes(claims.mcpCommand.value)
    ) {
      const { value, place } = claims.mcpCommand
      const message = `a tenant's connector may not start \`${value}\``
      const hint = 'list the program in `mcpCommands` of the Deployment, or move the Connector to `_platform`'
      findings.add({ code: 'COMMAND_NOT_ALLOWED', message, hint, path, place })
    }
  }
}
