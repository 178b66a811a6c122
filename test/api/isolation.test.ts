import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allOperations, openApiDocument } from '../../controller/api/openapi.ts'
import type { Operation } from '../../controller/api/route.ts'
import { keyRoles } from '../../controller/tenancy/key-scopes.ts'
import { allowAll, docs, parameter, policy, role, tenant, user } from '../operations/repositories.ts'
import { type Sent, type TestApi, testApi } from '../support/api.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { fitting } from './requests-from-schemas.ts'

/** Words that only tenant `beta` has: none of them may ever reach a key of `acme`. */
const canaries = ['beta', 'betacolour', 'beta-canary-value', 'betaclerk', 'betarule', 'betamore', 'betabroken']

let engine: TestEngine
let api: TestApi
/** Secrets by `<tenant> <role>`. */
const keys = new Map<string, string>()
/** Ids of things of `beta`, by the parameter and the group they are asked by. */
let foreign: { [name: string]: string }
let betaId: string

beforeAll(async () => {
  engine = await testEngine({
    'tenants/_platform/policy.yaml': policy('config', allowAll),
    'tenants/_platform/people.yaml': docs(role('admin', 'read, write, approve'), user('ana')),
    'tenants/acme/tenant.yaml': tenant('acme'),
    'tenants/acme/settings.yaml': parameter('colour', 'red'),
    'tenants/beta/tenant.yaml': tenant('beta'),
    'tenants/beta/settings.yaml': parameter('betacolour', 'beta-canary-value'),
    'tenants/beta/roles.yaml': role('betaclerk'),
    'tenants/beta/policy.yaml': policy('betarule', allowAll),
  })
  await engine.apply()
  api = await testApi(engine, {
    directory: engine.directory,
    environment: { FIBRIC_REQUESTS_PER_MINUTE: '1000000', FIBRIC_UNKNOWN_PER_MINUTE: '1000000' },
  })
  for (const slug of ['acme', 'beta', null]) {
    for (const name of Object.keys(keyRoles)) keys.set(`${slug ?? '_platform'} ${name}`, await api.key(slug, name))
  }
  const beta = keys.get('beta admin')!
  const first = async (path: string): Promise<{ [field: string]: string }> =>
    (await api.send('GET', path, { key: beta })).json.data[0]
  betaId = (await api.send('GET', '/v1/tenant', { key: beta })).json.id
  const sent = await api.send('POST', '/v1/events', {
    key: beta,
    body: { source: 'shop', event_type: 'order.created', payload: { note: 'beta-canary-value' } },
  })
  const guardrails = await api.send('GET', '/v1/guardrails', { key: beta })
  const own = guardrails.json.data.find((each: { address: string }) => each.address.startsWith('beta/'))
  foreign = {
    plans: (await first('/v1/plans')).plan_id!,
    receipts: (await first('/v1/receipts')).id!,
    guardrails: own.id,
    tenant: (await first('/v1/tenant/keys')).id!,
    events: sent.json.event_id ?? sent.json.id,
  }
  // What waits to be applied, and what is wrong, in the folder that the server follows.
  engine.write({
    'tenants/acme/more.yaml': parameter('more', 1),
    'tenants/beta/more.yaml': parameter('betamore', 1),
    'tenants/beta/broken.yaml': 'apiVersion: fibric.io/v1\nkind: Nothing\nmetadata: {name: betabroken}\n',
  })
})
afterAll(async () => {
  await api.close()
  await engine.close()
})

const operations = allOperations()
const named = operations.map((operation) => [`${operation.method} ${operation.url}`, operation] as const)
const known = named.filter(([, { scope }]) => scope !== 'public')
const answered = known.filter(([, { produces }]) => produces !== 'text/event-stream')

describe('without a credential', () => {
  test.each(known)('%s is 401', async (_name, operation) => {
    const sent = await ask(operation, null, 'own')
    expect([sent.status, sent.json.error.code]).toEqual([401, 'key_invalid'])
  })
})

describe.each(['acme', '_platform'])('a key of %s', (slug) => {
  test.each(answered)('%s is for the roles that have its scope alone', async (_name, operation) => {
    for (const name of Object.keys(keyRoles)) {
      const sent = await ask(operation, keys.get(`${slug} ${name}`)!, 'absent')
      const scopes: readonly string[] = keyRoles[name as keyof typeof keyRoles]
      const may =
        operation.scope === 'platform'
          ? slug === '_platform' && scopes.includes('config:read')
          : operation.scope === 'any' || scopes.includes(operation.scope)
      const refused = sent.status === 403 && sent.json.error.code === 'insufficient_scope'
      expect(refused, `${name}: ${sent.status} ${sent.text.slice(0, 200)}`).toBe(!may)
    }
  })
})

describe('another tenant', () => {
  test('has what is asked for below', async () => {
    for (const group of ['plans', 'receipts', 'guardrails', 'events']) {
      const shown = await api.send('GET', `/v1/${group}/${foreign[group]}`, { key: keys.get('beta admin')! })
      expect([group, shown.status]).toEqual([group, 200])
    }
    const planned = await api.send('POST', '/v1/config/plan', { key: keys.get('beta admin')!, body: {} })
    expect(planned.text).toContain('tenants/beta/broken.yaml')
  })

  test.each(known)('%s shows what is its own as if it were not there', async (_name, operation) => {
    const key = keys.get('acme admin')!
    const isForeign = await ask(operation, key, 'foreign')
    if (operation.produces === 'text/event-stream' && isForeign.status === 200) throw new Error('a foreign stream')
    refuseCanaries(isForeign.text, asked(operation, 'foreign'))
    if (Object.keys(operation.params).length === 0 && !('tenant' in operation.query)) return
    const isAbsent = await ask(operation, key, 'absent')
    expect([isForeign.status, neutral(isForeign.text, operation, 'foreign')]).toEqual([
      isAbsent.status,
      neutral(isAbsent.text, operation, 'absent'),
    ])
  })

  test.each(answered)('%s shows nothing of it among the own', async (_name, operation) => {
    if (operation.method === 'DELETE') return
    for (const name of Object.keys(keyRoles)) {
      const sent = await ask(operation, keys.get(`acme ${name}`)!, 'own')
      refuseCanaries(sent.text, [])
      refuseCanaries(JSON.stringify(sent.headers), [])
      expect(misfits(operation, sent), `${sent.status} ${sent.text.slice(0, 300)}`).toEqual([])
    }
  })

  test('is as it was after all of that', async () => {
    const beta = keys.get('beta admin')!
    expect((await api.send('GET', '/v1/tenant', { key: beta })).json.slug).toBe('beta')
    const shown = await api.send('GET', '/v1/config/resources/beta/Parameter/betacolour', { key: beta })
    expect(shown.json.content.spec.value).toBe('beta-canary-value')
    expect(shown.json.conditions.some((each: { type: string }) => each.type === 'Suspended')).toBe(false)
    const listed = await api.send('GET', '/v1/tenant/keys?limit=100', { key: beta })
    expect(listed.json.data.every((each: { revoked_at: string | null }) => each.revoked_at === null)).toBe(true)
  })
})

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
ajv.addSchema({ ...openApiDocument(), $id: 'document' })

/** Where an answer is not what the document says of it. */
function misfits(operation: Operation, sent: Sent): unknown[] {
  if (!String(sent.headers['content-type']).startsWith('application/json')) return []
  const text = JSON.stringify(sent.status < 300 ? operation.response : { $ref: '#/components/schemas/Error' })
  const check = ajv.compile(JSON.parse(text.replaceAll('"#/components', '"document#/components')))
  if (sent.status < 300) expect(sent.status).toBe(operation.status)
  return check(sent.json) ? [] : (check.errors ?? [])
}

type Whose = 'own' | 'foreign' | 'absent'

/** What the path names: things of the caller, of `beta`, or nothing. */
function asked(operation: Operation, whose: Whose): string[] {
  const [, , group = ''] = operation.url.split('/')
  const values: { readonly [name: string]: { readonly [whose in Whose]: string } } = {
    tenant: { own: 'acme', foreign: 'beta', absent: 'none' },
    kind: { own: 'Parameter', foreign: 'Parameter', absent: 'Parameter' },
    name: { own: 'colour', foreign: 'betacolour', absent: 'nonecolour' },
    slug: { own: 'acme', foreign: 'beta', absent: 'none' },
    connection: { own: 'orders', foreign: 'orders', absent: 'orders' },
    event: { own: 'order.created', foreign: 'order.created', absent: 'order.created' },
    id: {
      own: 'none',
      foreign: foreign[group] ?? 'none',
      absent: (foreign[group] ?? 'none').replaceAll(/[0-9a-f]{8}$/g, '00000000'),
    },
  }
  return Object.keys(operation.params).map((name) => values[name]?.[whose] ?? 'none')
}

function ask(operation: Operation, key: string | null, whose: Whose): Promise<Sent> {
  const values = asked(operation, whose)
  let index = 0
  const path = operation.url.replaceAll(/\{\w+\}/g, () => encodeURIComponent(values[index++]!))
  const query = 'tenant' in operation.query && whose !== 'own' ? `?tenant=${whose === 'foreign' ? 'beta' : 'none'}` : ''
  // A stream that is let in would never end: it is asked for others' alone.
  const search = operation.produces === 'text/event-stream' && query === '' ? '?tenant=none' : query
  return api.send(operation.method, `${path}${search}`, { key, ...bodyOf(operation, whose) })
}

function bodyOf(operation: Operation, whose: Whose): { body?: unknown } {
  if (operation.body === null) return operation.rawBody ? { body: {} } : {}
  const at = `${operation.method} ${operation.url}`
  const tenantNamed = whose === 'own' ? {} : { tenant: whose === 'foreign' ? 'beta' : 'none' }
  const bodies: { readonly [route: string]: object } = {
    'POST /v1/config/plan': {},
    'POST /v1/config/apply': {},
    'POST /v1/tenant/keys': { role: 'ingest', ...tenantNamed },
    'POST /v1/guardrails/evaluate': { actions: [{ capability: 'a.b' }], ...tenantNamed },
    'POST /v1/config/resources/{tenant}/{kind}/{name}/suspend': { reason: 'x', for: '1s' },
  }
  // One that fits, the same every time.
  return { body: bodies[at] ?? fc.sample(fitting(operation.body), { numRuns: 1, seed: 7 })[0] }
}

function refuseCanaries(text: string, given: readonly string[]): void {
  // What the caller said itself may be said back.
  const said = given.reduce((rest, word) => (word === 'Parameter' ? rest : rest.replaceAll(word, '…')), text)
  for (const canary of [...canaries, betaId]) expect(said.replaceAll('tenant `beta`', '…')).not.toContain(canary)
}

/** An answer without what the caller itself said, and without what differs from request to request. */
function neutral(text: string, operation: Operation, whose: Whose): string {
  const words = [...asked(operation, whose), ...(whose === 'foreign' ? ['beta'] : ['none'])]
  return words
    .toSorted((a, b) => b.length - a.length)
    .reduce((rest, word) => rest.replaceAll(word, '…'), text)
    .replaceAll(/(?:req|key|rc|ev|pl|act|co|ob|rp)_[0-9a-f]{32}/g, 'id')
    .replaceAll(/sk_live_\w+|"last_four":"\w+"/g, 'secret')
}
