import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allOperations, openApiDocument } from '../../controller/api/openapi.ts'
import type { Operation } from '../../controller/api/route.ts'
import { keyRoles } from '../../controller/tenancy/key-scopes.ts'
import { connectorYaml } from '../executor/effects/world.ts'
import { allowAll, doc, docs, parameter, policy, role, tenant, user } from '../operations/repositories.ts'
import { type Sent, type TestApi, testApi } from '../support/api.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { type Provider, startProvider } from '../support/provider.ts'
import { fitting } from './requests-from-schemas.ts'

/** Words that only tenant `beta` has: none of them may ever reach a key of `acme`. */
const canaries = [
  ...['beta', 'betacolour', 'beta-canary-value', 'betaclerk', 'betarule', 'betamore', 'betabroken'],
  ...['betaop', 'betaconn', 'betasecret', 'betastop'],
]

let engine: TestEngine
let api: TestApi
/** Secrets by `<tenant> <role>`. */
const keys = new Map<string, string>()
/** What the paths name of `beta`, by the route's first words and the parameter: `operators {id}`. */
let foreign: { [place: string]: string }
let provider: Provider
let betaId: string

beforeAll(async () => {
  provider = await startProvider()
  engine = await testEngine({
    'fibric.yaml': doc('Deployment', 'lab', '{egress: {allowPrivate: ["127.0.0.1/32"]}}'),
    'tenants/_platform/connectors.yaml': connectorYaml,
    'tenants/beta/connection.yaml': doc(
      'Connection',
      'betaconn',
      `{connector: lab@1.0.0, config: {port: "${provider.port}"}}`,
    ),
    'tenants/beta/operator.yaml': doc('Operator', 'betaop', betaop),
    'tenants/_platform/policy.yaml': policy('config', allowAll),
    'tenants/_platform/people.yaml': docs(role('admin', 'read, write, approve'), user('ana')),
    'tenants/acme/tenant.yaml': tenant('acme'),
    'tenants/acme/settings.yaml': parameter('colour', 'red'),
    'tenants/beta/tenant.yaml': tenant('beta'),
    'tenants/beta/settings.yaml': parameter('betacolour', 'beta-canary-value'),
    'tenants/beta/roles.yaml': role('betaclerk'),
    'tenants/beta/policy.yaml': policy(
      'betarule',
      allowAll,
      '{id: things, match: {capability: "thing.*"}, decision: ALLOW}',
      '{id: tell, match: {capability: "thing.*"}, decision: ALERT, alert: {mode: notify}}',
    ),
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
  const asBeta = async (method: string, path: string, body: object): Promise<{ [field: string]: never }> => {
    const answer = await api.send(method, path, { key: beta, body })
    expect([method, path, answer.status, answer.text.slice(0, 200)].slice(0, 3)).toEqual([method, path, 200])
    return answer.json
  }
  const { actions } = await asBeta('POST', '/v1/operators/betaop/run', { payload: { id: 'beta-canary-value' } })
  await asBeta('PUT', '/v1/tenant/secrets/betasecret', { value: 'beta-canary-value' })
  await asBeta('POST', '/v1/stops', { scope: 'operator', name: 'betastop', reason: 'beta-canary-value' })
  await engine.sql(
    `insert into fibric.dead_letter (tenant_id, letter_id, reason, message, source, event_type, origin, created_at)
     values ($1, $2, 'run_died', 'beta-canary-value', 'shop', 'order.created', 'run', now())`,
    [betaId, letterId],
  )
  const guardrails = await api.send('GET', '/v1/guardrails', { key: beta })
  const own = guardrails.json.data.find((each: { address: string }) => each.address.startsWith('beta/'))
  foreign = {
    'plans {id}': (await first('/v1/plans')).plan_id!,
    'plans named {id}': (await first('/v1/plans')).plan_id!,
    'receipts {id}': (await first('/v1/receipts')).id!,
    'guardrails {id}': own.id,
    'tenant keys {id}': (await first('/v1/tenant/keys')).id!,
    'tenant secrets {name}': 'betasecret',
    'events {id}': sent.json.id,
    'events dead-letters {id}': letterId,
    'trace {id}': (await first('/v1/receipts')).id!,
    'operators {id}': (await first('/v1/operators')).id!,
    'alerts {id}': (await first('/v1/alerts')).id!,
    'actions waiting ?of': (actions as unknown as { actionId: string }[])[0]!.actionId,
    'actions {id}': (actions as unknown as { actionId: string }[])[0]!.actionId,
    'connections {name}': 'betaconn',
    'gateways {name}': 'betagateway',
    'config resources {tenant}': 'beta',
    'config resources {kind}': 'Parameter',
    'config resources {name}': 'betacolour',
    'config waiting {tenant}': 'beta',
    'config waiting {kind}': 'Parameter',
    'config waiting {name}': 'betacolour',
    'platform tenants {slug}': 'beta',
    't {slug}': 'beta',
    't ingest {connection}': 'betaconn',
    't ingest {event}': 'order.created',
    'ingest {connection}': 'betaconn',
    'ingest {event}': 'order.created',
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
  await provider.close()
})

const letterId = `dl_${'0190'.repeat(8)}`

const betaop = `
  trigger: {on: [beta.seen]}
  capabilities: [thing.keyed]
  reason: {rules: [{when: 'true', propose: [{capability: thing.keyed, args: {id: "\${event.payload.id}"}}]}]}`

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
  test.each(named)('%s: everything its path names is there to be asked for', (_name, operation) => {
    const places = [...placesOf(operation), ...operation.queryRequired.map((each) => `${wordsOf(operation)} ?${each}`)]
    expect(places.filter((place) => foreign[place] === undefined)).toEqual([])
  })

  test.each(answered.filter(([, { method, scope }]) => method === 'GET' && scope !== 'platform'))(
    '%s shows it to its own tenant, as the document says',
    async (_name, operation) => {
      const shown = await ask(operation, keys.get('beta admin')!, 'foreign')
      expect([shown.status, shown.text.slice(0, 300)].slice(0, 1)).toEqual([operation.status])
      expect(misfits(operation, shown), shown.text.slice(0, 500)).toEqual([])
    },
  )

  test('has files that wait, and one that is broken', async () => {
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
    expect((await api.send('GET', '/v1/operators/betaop', { key: beta })).json.status).toBe('active')
    expect((await api.send('GET', '/v1/stops', { key: beta })).json.data.length).toBe(1)
    expect((await api.send('GET', '/v1/tenant/secrets', { key: beta })).json.data.length).toBe(1)
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

/** The parameters of a path, each after the words before it: `config resources {name}`. */
function placesOf(operation: Operation): string[] {
  const places: string[] = []
  const words: string[] = []
  for (const part of operation.url.split('/').filter((each) => each !== '' && each !== 'v1')) {
    if (part.startsWith('{')) places.push(`${words.join(' ')} ${part}`)
    else words.push(part)
  }
  return places
}

/** What the path names: things of the caller, of `beta`, or nothing. */
function asked(operation: Operation, whose: Whose): string[] {
  const own: { readonly [name: string]: string } = {
    '{tenant}': 'acme',
    '{kind}': 'Parameter',
    '{name}': 'colour',
    '{slug}': 'acme',
    '{connection}': 'orders',
    '{event}': 'order.created',
    '{id}': 'none',
  }
  return placesOf(operation).map((place) => {
    const name = place.slice(place.lastIndexOf('{'))
    if (whose === 'own') return own[name]!
    return name === '{kind}' || name === '{event}' ? foreign[place]! : valueAt(place, whose)
  })
}

/** What a place names of `beta`, or something as long and as well formed that is not there. */
function valueAt(place: string, whose: Whose): string {
  const theirs = foreign[place]!
  if (whose === 'foreign') return theirs
  return /_[0-9a-f]{32}$/.test(theirs) ? theirs.replace(/[0-9a-f]{8}$/, '00000000') : `none${theirs.slice(4)}`
}

function wordsOf({ url }: Operation): string {
  return url
    .split('/')
    .filter((part) => part !== '' && part !== 'v1' && !part.startsWith('{'))
    .join(' ')
}

function ask(operation: Operation, key: string | null, whose: Whose): Promise<Sent> {
  const values = asked(operation, whose)
  let index = 0
  const path = operation.url.replaceAll(/\{\w+\}/g, () => encodeURIComponent(values[index++]!))
  const named =
    'tenant' in operation.query && whose !== 'own' ? [['tenant', whose === 'foreign' ? 'beta' : 'none']] : []
  const required = operation.queryRequired.map((name) => [name, valueAt(`${wordsOf(operation)} ?${name}`, whose)])
  const asking = new URLSearchParams([...named, ...required] as [string, string][]).toString()
  const query = asking === '' ? '' : `?${asking}`
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
    'POST /v1/guardrails/evaluate': { actions: [{ capability: 'a.b' }] },
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
  const required = operation.queryRequired.map((name) => valueAt(`${wordsOf(operation)} ?${name}`, whose))
  const words = [...asked(operation, whose), ...required, ...(whose === 'foreign' ? ['beta'] : ['none'])]
  return words
    .toSorted((a, b) => b.length - a.length)
    .reduce((rest, word) => rest.replaceAll(word, '…'), text)
    .replaceAll(/(?:req|key|rc|al|ev|pl|act|co|ob|op|rp|st|run)_[0-9a-f]{32}/g, 'id')
    .replaceAll(/sk_live_\w+|"last_four":"\w+"/g, 'secret')
}
