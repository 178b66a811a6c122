import type { Address, Slug } from '../../domain/ids.ts'
import { endKey, makeKey, showKeys } from '../../operations/keys.ts'
import { keyJson, tenantJson } from '../../operations/objects.ts'
import { showTenant } from '../../operations/tenants.ts'
import { readTenantUsage } from '../../operations/usage.ts'
import { keyRoles } from '../../tenancy/key-scopes.ts'
import { listOf, pageOf, pageQuery } from '../cursor.ts'
import { durationOf, ownSlug, queried } from '../parameters.ts'
import { Answer, type Call, type RouteGroup, route, type Schema } from '../route.ts'
import { ref } from '../schemas.ts'

/** The own tenant and its keys. A platform credential names a tenant where it means one. */
export const tenantRoutes: RouteGroup = {
  name: 'tenant',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/tenant',
      scope: 'config:read',
      summary: 'The tenant of the credential',
      response: ref('TenantSummary'),
      handler: async ({ engine }) => tenantJson(await showTenant(engine, null)),
    })
    route(server, {
      method: 'GET',
      url: '/v1/tenant/usage',
      scope: 'config:read',
      summary: 'Events, runs, actions and receipts between two instants; the last 30 days unless said',
      query: {
        tenant,
        since: { type: 'string', format: 'date-time' },
        until: { type: 'string', format: 'date-time' },
      },
      response: ref('Usage'),
      async handler(call) {
        const slug = await slugOf(call, call.query.tenant)
        return readTenantUsage(call.engine, slug, queried(call, 'since'), queried(call, 'until'))
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/tenant/keys',
      scope: 'keys:read',
      summary: 'API keys of a domain, or of all in sight, newest first, without their secrets',
      query: { ...pageQuery, tenant },
      response: listOf(ref('Key')),
      async handler(call) {
        const named = queried(call, 'tenant')
        const keys = await showKeys(call.engine, named)
        return pageOf(call, named, {
          read: async (after, count) => keys.filter(({ key_id: id }) => after === null || id < after).slice(0, count),
          positionOf: ({ key_id: id }) => id,
          show: keyJson,
        })
      },
    })
    route(server, {
      method: 'POST',
      url: '/v1/tenant/keys',
      scope: 'keys:write',
      summary: 'Make an API key; its secret is in this answer and nowhere else',
      status: 201,
      body: {
        type: 'object',
        additionalProperties: false,
        required: ['role'],
        properties: {
          role: { type: 'string', enum: Object.keys(keyRoles) },
          name: { type: ['string', 'null'], minLength: 1, maxLength: 200 },
          user: { type: ['string', 'null'], pattern: '^[^/]{1,63}/User/[^/]{1,63}$', description: 'address of a User' },
          expires_in: { type: ['string', 'null'], minLength: 2, maxLength: 40, description: 'like 12h or 30d' },
          tenant,
        },
      },
      response: ref('Key'),
      async handler(call) {
        const { role, name, user, expires_in: expiresIn } = call.body
        const lifetimeMs = typeof expiresIn === 'string' ? durationOf(expiresIn) : null
        const wanted = {
          slug: await slugOf(call, call.body.tenant),
          role: String(role),
          name: (name ?? null) as string | null,
          user: (user ?? null) as Address | null,
          expiresAt: lifetimeMs === null ? null : new Date(call.engine.clock().getTime() + lifetimeMs).toISOString(),
        }
        const { key, secret } = await makeKey(call.engine, wanted, call.once)
        return new Answer(201, { ...keyJson({ ...key, tenant: wanted.slug }), secret })
      },
    })
    route(server, {
      method: 'DELETE',
      url: '/v1/tenant/keys/{id}',
      scope: 'keys:write',
      summary: 'Revoke an API key',
      query: { tenant },
      response: ref('EndedKey'),
      async handler(call) {
        const id = call.params.id!
        await endKey(call.engine, await slugOf(call, call.query.tenant), id)
        return { object: 'api_key', id, revoked: true }
      },
    })
  },
}

const tenant: Schema = { type: 'string', minLength: 1, maxLength: 63, description: 'slug; platform credentials only' }

async function slugOf(call: Call, named: unknown): Promise<Slug> {
  return (typeof named === 'string' ? named : ((await ownSlug(call.engine)) ?? '_platform')) as Slug
}
