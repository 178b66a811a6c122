import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { apiCodes } from '../../controller/api/failure.ts'
import { allOperations, openApiDocument } from '../../controller/api/openapi.ts'
import { groupOf } from '../../controller/door/engine-door.ts'
import { kinds } from '../../schemas/index.ts'

const document = JSON.parse(JSON.stringify(openApiDocument()))

describe('the OpenAPI document', () => {
  test('describes every route once, with a name of its own', () => {
    const operations = allOperations()
    const described = Object.values(document.paths).flatMap((path) => Object.values(path as object))
    expect(described.length).toBe(operations.length)
    expect(new Set(described.map(({ operationId }) => operationId)).size).toBe(operations.length)
  })

  test('names every parameter of every path, and nothing it has not', () => {
    for (const [url, methods] of Object.entries<Record<string, { parameters: { name?: string; in?: string }[] }>>(
      document.paths,
    )) {
      for (const { parameters } of Object.values(methods)) {
        const named = parameters.flatMap((each) => (each.in === 'path' ? [each.name] : []))
        expect(named, url).toEqual([...url.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))
      }
    }
  })

  test('has every kind under its name', () => {
    for (const { kind } of kinds) expect(document.components.schemas[kind].title).toBe(kind)
  })

  test('holds schemas that compile, and references that lead somewhere', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    ajv.addSchema({ $id: 'document', ...document }, 'document')
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#([^"]+)"/g)].map(([, pointer]) => pointer!)
    for (const pointer of new Set(references)) {
      const target = pointer
        .split('/')
        .slice(1)
        .reduce((node, part) => node?.[part], document)
      expect(target, pointer).toBeDefined()
    }
    for (const name of Object.keys(document.components.schemas)) {
      expect(() => ajv.compile({ $ref: `document#/components/schemas/${name}` }), name).not.toThrow()
    }
  })

  test('is what commands find, by the first words of each path', async () => {
    for (const { method, url } of allOperations().filter((operation) => operation.url.startsWith('/v1/'))) {
      if (/^\/v1\/(?:ingest|t|openapi\.json)(?:\/|$)/.test(url)) continue
      const found: string[] = []
      const add = (operation: { method: string; url: string }) =>
        void found.push(`${operation.method} ${operation.url}`)
      const group = await groupOf(url)
      group?.register({ add }, { directory: null, push: null } as never)
      expect(found, url).toContain(`${method} ${url}`)
    }
  })

  test('gives an Idempotency-Key to every POST and PATCH but those of events', () => {
    for (const operation of allOperations()) {
      const isEvent = operation.rawBody
      const wanted = (operation.method === 'POST' || operation.method === 'PATCH') && !isEvent
      expect(operation.idempotent, `${operation.method} ${operation.url}`).toBe(wanted)
    }
  })

  test('takes no unknown field in any body', () => {
    for (const { body, method, url } of allOperations()) {
      if (body !== null) expect(body.additionalProperties, `${method} ${url}`).toBe(false)
    }
  })
})

test('every code of the contract can be answered, with its status', () => {
  const statuses = Object.fromEntries(apiCodes().map(({ code, status }) => [code, status]))
  expect(statuses).toMatchObject({
    invalid_parameter: 400,
    invalid_cursor: 400,
    invalid_json: 400,
    key_invalid: 401,
    key_revoked: 401,
    key_expired: 401,
    insufficient_scope: 403,
    tenant_mismatch: 403,
    not_found: 404,
    idempotency_conflict: 409,
    request_in_progress: 409,
    entity_locked: 409,
    state_conflict: 409,
    payload_too_large: 413,
    unsupported_media_type: 415,
    validation_failed: 422,
    rate_limited: 429,
    backlog_full: 429,
    service_unavailable: 503,
  })
})
