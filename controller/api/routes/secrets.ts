import { FibricError } from '../../domain/errors.ts'
import type { JsonObject } from '../../domain/json.ts'
import { secretJson, writtenSecretJson } from '../../operations/objects.ts'
import { removeSecret, rotateKeyOf, setSecret, showSecrets, valueBytesMax } from '../../operations/secrets.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { bodyOf, domainMeant, durationOf, queried, said, tenantQuery } from '../parameters.ts'
import { type RouteGroup, route, type Schema } from '../route.ts'
import { ref } from '../schemas.ts'

/** Secrets of a domain: values go in, and have no way back out. */
export const secretRoutes: RouteGroup = {
  name: 'secrets',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/tenant/secrets',
      scope: 'config:read',
      summary: 'Names, fields and versions in a domain, or in all in sight, by name',
      query: { ...pageQuery, ...tenantQuery },
      response: listOf(ref('Secret')),
      async handler(call) {
        const named = queried(call, 'tenant')
        const secrets = (await showSecrets(call.engine, named)).map(secretJson)
        const sorted = secrets.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1))
        return pageOfAll(call, named, sorted, placeOf, (each) => each)
      },
    })
    route(server, {
      method: 'PUT',
      url: '/v1/tenant/secrets/{name}',
      scope: 'secrets:write',
      summary: 'Set a secret: `NAME`, or `NAME.FIELD`',
      description:
        'PUT, and so without an Idempotency-Key: a key would be kept with a digest of the value. Setting it again makes one more version of the same value.',
      query: tenantQuery,
      bodySizeMax: 256 * 1024,
      body: bodyOf({ value, encoding, keep_previous: keepPrevious }, ['value']),
      response: ref('WrittenSecret'),
      async handler(call) {
        const { body, engine, params } = call
        const keep = said(body, 'keep_previous')
        const keepMs = keep === null ? 0 : durationOf(keep)
        return writtenSecretJson(await setSecret(engine, await domainMeant(call), params.name!, bytesOf(body), keepMs))
      },
    })
    route(server, {
      method: 'DELETE',
      url: '/v1/tenant/secrets/{name}',
      scope: 'secrets:write',
      summary: 'Destroy a secret, every version of it, at once and for ever',
      query: tenantQuery,
      response: ref('DeletedSecret'),
      async handler(call) {
        const tenant = await domainMeant(call)
        await removeSecret(call.engine, tenant, call.params.name!)
        return { object: 'secret', tenant, name: call.params.name!, deleted: true }
      },
    })
    route(server, {
      method: 'POST',
      url: '/v1/tenant/secrets/rotate',
      scope: 'secrets:write',
      summary: 'Give the domain its next key, and wrap every data key anew',
      query: tenantQuery,
      response: ref('RotatedKey'),
      async handler(call) {
        const tenant = await domainMeant(call)
        return { object: 'tenant_key', tenant, ...(await rotateKeyOf(call.engine, tenant)) }
      },
    })
  },
}

const value: Schema = { type: 'string', minLength: 1, maxLength: valueBytesMax * 2 }
const encoding: Schema = {
  type: 'string',
  enum: ['utf8', 'base64'],
  description: 'how `value` is written; utf8 unless said',
}
const keepPrevious: Schema = {
  type: 'string',
  minLength: 2,
  maxLength: 40,
  description: 'how long the version before stays good: 24h',
}

function placeOf(secret: { readonly tenant: string; readonly name: string; readonly field: string }): string {
  return `${secret.tenant}/${secret.name}.${secret.field}`
}

function bytesOf(body: JsonObject): Buffer {
  const text = String(body.value)
  if (body.encoding !== 'base64') return Buffer.from(text, 'utf8')
  if (/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return Buffer.from(text, 'base64')
  throw new FibricError('VALIDATION_FAILED', 'the value is not base64', { hint: 'leave out encoding to send text' })
}
