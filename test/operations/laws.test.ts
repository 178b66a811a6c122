import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { applyPlanned } from '../../controller/operations/apply.ts'
import { importState } from '../../controller/operations/import.ts'
import { yamlText } from '../../schemas/write-yaml.ts'
import { type Files, fates, summary, type TestEngine, testEngine } from '../support/engine.ts'
import { doc, docs, open, parameter, role, tenant, user } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

/** What is applied, by address: digests alone, since generations count every step. */
async function content(): Promise<{ [address: string]: string }> {
  const rows = await engine.sql<{ address: string; digest: string }>(
    'select address, digest from fibric.object where digest is not null order by address',
  )
  return Object.fromEntries(rows.map(({ address, digest }) => [address, digest]))
}

/** Everything of a repository is deleted and created as it likes here, so brakes are confirmed. */
async function applyAll(files: Files): Promise<void> {
  engine.become({ ...open, ...files })
  const { plan } = await engine.plan()
  await engine.apply({}, plan.changes.filter(({ digestAfter }) => digestAfter === null).length)
}

/** A small repository: two tenants, of which one comes and goes; settings, roles and people that refer to one another. */
const repository = fc
  .record({
    parameters: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 3 }), {
      noNullPrototype: true,
    }),
    roles: fc.subarray(['clerk', 'teller', 'boss']),
    people: fc.dictionary(fc.constantFrom('eve', 'fay'), fc.subarray(['clerk', 'teller', 'boss']), {
      noNullPrototype: true,
    }),
    beta: fc.boolean(),
  })
  .map(({ parameters, roles, people, beta }): Files => {
    const documents = [
      ...Object.entries(parameters).map(([name, value]) => parameter(name, value)),
      ...roles.map((name) => role(name)),
      ...Object.entries(people).map(([name, held]) =>
        user(name, held.filter((each) => roles.includes(each)).join(', ')),
      ),
    ]
    return {
      ...(documents.length > 0 ? { 'tenants/acme/all.yaml': docs(...documents) } : {}),
      ...(beta ? { 'tenants/beta/tenant.yaml': docs(tenant('beta'), parameter('x', 1)) } : {}),
    }
  })

test('apply(A) then apply(B) leaves the content that apply(B) alone leaves, and the plan right after is empty', async () => {
  engine = await testEngine()
  await fc.assert(
    fc.asyncProperty(repository, repository, async (a, b) => {
      await applyAll(a)
      expect(summary(await engine.plan())).toEqual([])
      await applyAll(b)
      // What apply(B) leaves in an empty database is what B wants, to the digest: the first law of this file.
      expect(summary(await engine.plan())).toEqual([])
      const wanted = (await engine.plan()).desired.repository.resources.map(({ address, digest }) => [address, digest])
      expect(await content()).toEqual(Object.fromEntries(wanted.sort()))
    }),
    { numRuns: 12 },
  )
})

test('shuffled documents and files give the same plan id', async () => {
  engine = await testEngine(open)
  await engine.apply()
  const documents = [
    parameter('a', 1),
    parameter('b', 2),
    role('clerk'),
    role('teller'),
    user('eve', 'clerk'),
    user('fay', 'teller'),
  ]
  const ids = new Set<string>()
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(documents, { minLength: documents.length }),
      fc.array(fc.constantFrom('a.yaml', 'b.yml', 'deep/c.yaml'), {
        minLength: documents.length,
        maxLength: documents.length,
      }),
      async (shuffled, places) => {
        const byFile = Map.groupBy(shuffled, (each) => places[documents.indexOf(each)]!)
        engine.become({
          ...open,
          ...Object.fromEntries([...byFile].map(([path, each]) => [`tenants/acme/${path}`, docs(...each)])),
        })
        ids.add((await engine.plan()).plan.id)
      },
    ),
    { numRuns: 15 },
  )
  expect(ids.size).toBe(1)
})

test('A → B → A → B applies each time, with a generation and a receipt of its own', async () => {
  const at = (value: number): Files => ({ 'tenants/acme/p.yaml': parameter('p', value) })
  engine = await testEngine({ ...open, ...at(1) })
  await engine.apply()
  for (const [step, value] of [2, 1, 2, 1, 2].entries()) {
    engine.write(at(value))
    expect(fates(await engine.apply())).toEqual({ 'acme/Parameter/p': 'applied' })
    const [row] = await engine.sql<{ generation: number }>(
      `select generation from fibric.object where address = 'acme/Parameter/p'`,
    )
    expect(row!.generation).toBe(step + 2)
  }
  const receipts = await engine.sql<{ generation: number }>(
    `select generation from fibric.ledger_entry where address = 'acme/Parameter/p' order by generation`,
  )
  expect(receipts.map(({ generation }) => generation)).toEqual([1, 2, 3, 4, 5, 6])
})

test('created, deleted, created and deleted again: each time it applies', async () => {
  engine = await testEngine(open)
  await engine.apply()
  for (let round = 0; round < 3; round++) {
    engine.write({ 'tenants/acme/p.yaml': parameter('p', 1) })
    expect(fates(await engine.apply())).toEqual({ 'acme/Parameter/p': 'applied' })
    engine.write({ 'tenants/acme/p.yaml': null })
    expect(fates(await engine.apply())).toEqual({ 'acme/Parameter/p': 'applied' })
  }
  const [row] = await engine.sql<{ generation: number; digest: string | null }>(
    `select generation, digest from fibric.object where address = 'acme/Parameter/p'`,
  )
  expect(row).toEqual({ generation: 6, digest: null })
})

test('the plan that was approved is the plan that ran: what changed on disk in between changes nothing', async () => {
  engine = await testEngine({ ...open, 'tenants/acme/p.yaml': parameter('p', 1) })
  const planned = await engine.plan()
  engine.write({ 'tenants/acme/p.yaml': parameter('p', 2) })
  const { outcomes } = await applyPlanned(engine, planned, { confirmDeletes: null })
  expect(outcomes.map(({ change }) => change.digest)).toEqual(planned.plan.changes.map(({ digest }) => digest))
  const wanted = planned.plan.changes.map(({ address, digestAfter }) => [address, digestAfter])
  expect(await content()).toEqual(Object.fromEntries(wanted.sort()))
  expect(summary(await engine.plan())).toEqual(['~ acme/Parameter/p'])
})

test('no change without ALLOW or approval: whatever was applied cites a rule that let it through, or the people who did', async () => {
  engine = await testEngine(open)
  await engine.apply()
  engine.write({ 'tenants/acme/p.yaml': docs(parameter('p', 1), role('clerk')) })
  await engine.apply()
  const applied = await engine.sql<{ verdict: { decision: string; rules: unknown[] } }>(
    `select verdict from fibric.action where state = 'applied'`,
  )
  expect(applied.length).toBeGreaterThan(3)
  for (const { verdict } of applied) {
    expect(verdict.decision).toBe('ALLOW')
    expect(verdict.rules.length).toBeGreaterThan(0)
  }
})

describe('import', () => {
  const rich: Files = {
    'fibric.yaml': doc('Deployment', 'main', '{brakes: {maxDeletePercent: 50}}'),
    'tenants/_platform/shop.yaml': ['1.0.0', '1.1.0']
      .map((version) =>
        doc(
          'Connector',
          'shop',
          `{version: ${version}, category: commerce, auth: {kind: none}, runtime: http, http: {baseUrl: "https://shop.example.com"}, tools: {order.read: {description: Read, tier: 0, effect: read, input: {type: object, additionalProperties: false}, output: {type: object}, http: {method: GET, path: /orders}}}}`,
        ),
      )
      .join('---\n'),
    'tenants/acme/tenant.yaml': tenant('acme', ', sandboxes: [acme-sandbox]'),
    'tenants/acme/asset.yaml': doc('Asset', 'count', '{type: shell, shell: {entry: {file: ../acme/scripts/run.sh}}}'),
    'tenants/acme/scripts/run.sh': 'echo "hello"\n',
    'tenants/acme/settings.yaml': docs(
      parameter('a', '"yes"'),
      parameter('b', 'null'),
      parameter('c', '[1, {x: "${y}"}]'),
      role('clerk'),
    ),
    'tenants/acme/people.yaml': user('eve', 'clerk'),
    'tenants/acme/shop.yaml': doc('Connection', 'shop', '{connector: shop@1.0.0, as: [orders]}'),
    'tenants/acme-sandbox/tenant.yaml': doc(
      'Tenant',
      'acme-sandbox',
      '{displayName: Sandbox, environment: sandbox, sandboxOf: acme, deletionProtection: false}',
    ),
    'tenants/acme-sandbox/own.yaml': parameter('b', 7),
  }

  test('writes a repository whose plan is empty, with its files, versions and sandboxes', async () => {
    engine = await testEngine({ ...open, ...rich })
    await engine.apply()
    const before = await content()
    expect(Object.keys(before)).toContain('acme-sandbox/Parameter/a')
    const imported = await importState(engine, null, [])
    expect(imported.map(({ path }) => path).filter((path) => path.startsWith('tenants/acme-sandbox/'))).toHaveLength(2)
    engine.become(
      Object.fromEntries(
        imported.map(({ path, content: each }) => [
          path,
          'bytes' in each ? each.bytes.toString('utf8') : yamlText(each.document),
        ]),
      ),
    )
    expect(summary(await engine.plan())).toEqual([])
  })

  test('of nothing writes nothing', async () => {
    engine = await testEngine()
    expect(await importState(engine, null, [])).toEqual([])
  })
})
