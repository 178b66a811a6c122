import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ErrorCode } from '../domain/error-codes.ts'
import { FibricError } from '../domain/errors.ts'
import { platformTenantId, type TenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { type Actor, authenticate, requireScope, tenantOfSecret } from '../tenancy/actor.ts'
import { keyRoles } from '../tenancy/key-scopes.ts'
import type { Binding } from './hosts.ts'
import type { requestLimits } from './limits.ts'
import { refuse } from './refusals.ts'
import type { Access, Operation } from './route.ts'

/** Behind a `public` route stands nobody: the sender of a webhook has no credential, and so no scope. */
export const nobody: Actor = {
  principal: { kind: 'person', name: 'nobody' },
  person: 'nobody',
  user: null,
  local: false,
  keyId: null,
  administers: false,
  tenantId: null,
  scopes: [],
}

/** The secret of `Authorization: Bearer …`. */
export function bearerOf(request: FastifyRequest): string {
  const { authorization } = request.headers
  if (authorization === undefined) {
    throw new FibricError('KEY_INVALID', 'the request carries no API key', {
      hint: 'send one: Authorization: Bearer sk_live_…',
    })
  }
  const match = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization)
  if (match) return match[1]!
  throw new FibricError('KEY_INVALID', 'the authorization is not `Bearer` and an API key')
}

export interface Gatekeeper {
  readonly engine: Engine
  readonly limits: ReturnType<typeof requestLimits>
  /** Counts a caller nobody knows, and refuses one who tries too often. */
  unknown(request: FastifyRequest, code: ErrorCode): Promise<void>
}

/**
 * Who asks, or the refusal: the credential first, then whether it belongs to the Host, then its scope, then how much the
 * domain has asked this minute. Refusals of known credentials are noted for the ledger.
 */
export async function admit(
  keeper: Gatekeeper,
  request: FastifyRequest,
  reply: FastifyReply,
  operation: Operation,
  binding: Binding,
): Promise<Actor> {
  const { engine } = keeper
  const route = `${operation.method} ${operation.url}`
  const refused = async (tenantId: TenantId, keyId: string, error: FibricError): Promise<never> => {
    await refuse(engine, { tenantId, keyId, code: error.code, route, requestId: request.id })
    throw error
  }
  const actor = await identify(keeper, request, refused)
  const tenantId = actor.tenantId ?? platformTenantId
  const keyId = actor.keyId!
  if (binding.kind === 'tenant' && binding.tenantId !== tenantId) {
    await refused(
      tenantId,
      keyId,
      new FibricError('TENANT_MISMATCH', 'the credential is not of this host', {
        hint: "use the host that is the credential's own, or the deployment's",
      }),
    )
  }
  try {
    requireAccess(actor, operation.scope)
  } catch (error) {
    if (error instanceof FibricError) await refused(tenantId, keyId, error)
    throw error
  }
  const allowance = await keeper.limits(tenantId)
  reply.header('x-ratelimit-limit', allowance.limit)
  reply.header('x-ratelimit-remaining', allowance.remaining)
  reply.header('x-ratelimit-reset', allowance.resetAt)
  if (allowance.allowed) return actor
  const seconds = Math.max(1, Math.ceil(allowance.resetAt - engine.clock().getTime() / 1000))
  throw new FibricError('RATE_LIMITED', `the keys of this domain may make ${allowance.limit} requests a minute`, {
    details: { retry_after_s: seconds },
  })
}

async function identify(
  keeper: Gatekeeper,
  request: FastifyRequest,
  refused: (tenantId: TenantId, keyId: string, error: FibricError) => Promise<never>,
): Promise<Actor> {
  const { engine } = keeper
  try {
    return await authenticate(engine.database, bearerOf(request), engine.clock())
  } catch (error) {
    if (!(error instanceof FibricError)) throw error
    if (error.code === 'KEY_INVALID') await keeper.unknown(request, error.code)
    if (error.code === 'KEY_REVOKED' || error.code === 'KEY_EXPIRED') {
      await refused(tenantOfSecret(bearerOf(request))!, String(error.details.key_id), error)
    }
    throw error
  }
}

/** Refuses an actor whom a route is not for. */
export function requireAccess(actor: Actor, scope: Access): void {
  if (scope === 'any' || scope === 'public') return
  if (scope !== 'platform') {
    requireScope(actor, scope)
    return
  }
  if (actor.tenantId !== null) {
    throw new FibricError('INSUFFICIENT_SCOPE', 'this takes a credential of the governance domain')
  }
  requireScope(actor, 'config:read')
}

/** Roles of keys that may call something: for the document. */
export function rolesFor(scope: Access): string[] {
  if (scope === 'public') return []
  const needed = scope === 'any' ? null : scope === 'platform' ? 'config:read' : scope
  return Object.entries(keyRoles).flatMap(([role, scopes]) =>
    needed === null || (scopes as readonly string[]).includes(needed) ? [role] : [],
  )
}
