import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allOperations } from '../../controller/api/openapi.ts'
import { docs, open, parameter, role, tenant, user } from '../operations/repositories.ts'
import { type TestApi, testApi } from '../support/api.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { bodyFor, hostile, pathFor } from './requests-from-schemas.ts'

let engine: TestEngine
let api: TestApi
let keys: string[]

beforeAll(async () => {
  engine = await testEngine({
    ...open,
    'tenants/_platform/people.yaml': docs(role('admin', 'read, write, approve'), user('ana')),
    'tenants/acme/settings.yaml': parameter('colour', 'red'),
    'tenants/beta/tenant.yaml': tenant('beta'),
  })
  await engine.apply()
  api = await testApi(engine, {
    environment: { FIBRIC_REQUESTS_PER_MINUTE: '1000000', FIBRIC_UNKNOWN_PER_MINUTE: '1000000' },
  })
  keys = [await api.key(null), await api.key('acme')]
})
afterAll(async () => {
  await api.close()
  await engine.close()
})

const operations = allOperations().filter(({ produces }) => produces !== 'text/event-stream')

test.each(operations.map((operation) => [`${operation.method} ${operation.url}`, operation] as const))(
  '%s answers whatever is sent, and never with 5xx',
  async (_name, operation) => {
    const body = operation.body === null ? fc.constant(undefined) : bodyFor(operation.body)
    const raw = operation.rawBody
      ? fc.oneof(
          hostile.map((value) => JSON.stringify(value)),
          fc.string(),
        )
      : fc.constant(undefined)
    await fc.assert(
      fc.asyncProperty(pathFor(operation), body, raw, fc.constantFrom(0, 1), async (path, sent, bytes, which) => {
        const answer = await api.send(operation.method, path, {
          key: operation.scope === 'public' ? null : keys[which]!,
          ...(sent === undefined ? {} : { body: sent }),
          ...(bytes === undefined ? {} : { raw: bytes }),
        })
        expect(
          answer.status,
          `${path} ${JSON.stringify(sent)?.slice(0, 500)} ${answer.text.slice(0, 500)}`,
        ).toBeLessThan(500)
        if (answer.status >= 400) expect(answer.json.error.code).toBeTypeOf('string')
      }),
      { numRuns: operation.bodySizeMax > 2_000_000 ? 40 : 60 },
    )
  },
)
