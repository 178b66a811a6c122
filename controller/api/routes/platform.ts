import { tenantJson } from '../../operations/objects.ts'
import { listTenants, showTenant } from '../../operations/tenants.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { type RouteGroup, route } from '../route.ts'
import { ref } from '../schemas.ts'

/** The governance domain's view of its tenants: only with a platform credential. */
export const platformRoutes: RouteGroup = {
  name: 'platform',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/platform/tenants',
      scope: 'platform',
      summary: 'Tenants, by slug',
      query: pageQuery,
      response: listOf(ref('TenantSummary')),
      async handler(call) {
        const tenants = (await listTenants(call.engine)).filter(({ slug }) => !slug.startsWith('_'))
        const sorted = tenants.toSorted((a, b) => (a.slug < b.slug ? -1 : 1))
        return pageOfAll(call, null, sorted, ({ slug }) => slug, tenantJson)
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/platform/tenants/{slug}',
      scope: 'platform',
      summary: 'One tenant',
      response: ref('TenantSummary'),
      handler: async ({ engine, params }) => tenantJson(await showTenant(engine, params.slug!)),
    })
  },
}
