import { createPublicKey } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { canonicalBytes } from '../../controller/domain/canonical-json.ts'
import type { Json, JsonObject } from '../../controller/domain/json.ts'
import { encodePlanFile, type SavedPlan } from '../../controller/domain/plan-file.ts'
import { type Applied, applySaved } from '../../controller/operations/apply.ts'
import { loadPlan, savePlan } from '../../controller/operations/plan.ts'
import { type Files, fates, summary, type TestEngine, testEngine } from '../support/engine.ts'
import { allowAll, doc, docs, governed, open, parameter, policy, role, tenant, user } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

const settings = 'tenants/acme/settings.yaml'

describe('a saved plan', () => {
  test('is refused with one byte changed, wherever that is, and names why', async () => {
    const bytes = await planned({ [settings]: asset, 'tenants/acme/run.sh': 'echo hello\n' })
    const text = bytes.toString('utf8')
    const regions = [...text.matchAll(/[{}[\]:,"]/g)].map((match) => Buffer.byteLength(text.slice(0, match.index)))
    const everySo = Array.from({ length: 400 }, (_, index) => Math.floor((index * bytes.length) / 400))
    const positions = new Set([0, bytes.length - 1, ...everySo, ...regions.filter((_, index) => index % 7 === 0)])
    for (const position of positions) {
      for (const flip of [0x01, 0x20]) {
        const changed = Buffer.from(bytes)
        changed[position]! ^= flip
        const error = refusalOf(changed)
        expect(error, `byte ${position} ^ ${flip}`).toMatchObject({
          exitCode: 6,
          code: expect.stringMatching(/^PLAN_/),
        })
        expect(error!.message).toMatch(/one\.plan/)
      }
    }
    expect(await engine.sql(`select from fibric.object where address like 'acme/Asset/%'`)).toEqual([])
  })

  const spellings: readonly (readonly [string, (text: string) => string])[] = [
    ['a blank more', (text) => text.replace('{"documents"', '{ "documents"')],
    ['no newline at the end', (text) => text.trimEnd()],
    ['a newline more', (text) => `${text}\n`],
    ['a byte order mark', (text) => `\ufeff${text}`],
    ['a key twice', (text) => text.replace('"genesis":false', '"genesis":false,"genesis":false')],
    ['a number written otherwise', (text) => text.replace('"line":1', '"line":1.0')],
    ['a character escaped', (text) => text.replace('"fibric.plan/v1"', '"fibric.plan\\/v1"')],
    ['another order of keys', (text) => JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text)).reverse()))],
    ['a lone surrogate', (text) => text.replace('"fibric.plan/v1"', '"fibric.plan/v1\\ud800"')],
    ['nothing', () => ''],
    ['another JSON value', () => '[]\n'],
  ]
  test.each(spellings)('is refused when written with %s', async (_name, respell) => {
    const bytes = await planned({ [settings]: parameter('colour', 'red') })
    const respelt = Buffer.from(respell(bytes.toString('utf8')))
    expect(respelt.equals(bytes)).toBe(false)
    expect(refusalOf(respelt)).toMatchObject({ exitCode: 6 })
  })

  test('is refused when it is signed by another key, or by none', async () => {
    const bytes = await planned({ [settings]: parameter('colour', 'red') })
    const saved = JSON.parse(bytes.toString('utf8')) as JsonObject
    const { generateKeyPairSync } = await import('node:crypto')
    const { privateKey } = generateKeyPairSync('ed25519')
    const { signature: _signature, format: _format, ...body } = saved
    const forged = encodePlanFile(body as unknown as SavedPlan, { keyId: 'key_mine', privateKey })
    expect(refusalOf(forged)).toMatchObject({ code: 'PLAN_ALTERED', exitCode: 6 })
    expect(refusalOf(lineOf({ format: 'fibric.plan/v1', ...body }))).toMatchObject({ code: 'PLAN_ALTERED' })
  })

  test('even of our own signing is refused when a digest or the id does not fit', async () => {
    const bytes = await planned({ [settings]: asset, 'tenants/acme/run.sh': 'echo hello\n' })
    const { format: _format, signature: _signature, ...body } = JSON.parse(bytes.toString('utf8'))
    const sign = (saved: SavedPlan): Buffer => encodePlanFile(saved, engine.deployment.signingKey)
    expect(sign(body).equals(bytes)).toBe(true)
    const [document] = Object.keys(body.documents)
    const [file] = Object.keys(body.files)
    const altered: SavedPlan[] = [
      { ...body, plan: { ...body.plan, id: `sha256:${'0'.repeat(64)}` } },
      { ...body, plan: { ...body.plan, changes: [] } },
      { ...body, plan: { ...body.plan, readSet: [] } },
      { ...body, documents: { [document!]: { ...body.documents[document!], spec: { type: 'shell' } } } },
      { ...body, files: { [file!]: Buffer.from('rm -rf /').toString('base64') } },
    ]
    for (const saved of altered) expect(refusalOf(sign(saved))).toMatchObject({ code: 'PLAN_ALTERED', exitCode: 6 })
  })

  test('is refused after a day, naming when it expired', async () => {
    const bytes = await planned({ [settings]: parameter('colour', 'red') })
    engine.time.now += 24 * 60 * 60 * 1000 - 1
    expect(refusalOf(bytes)).toBeNull()
    engine.time.now += 1
    expect(refusalOf(bytes)).toMatchObject({
      code: 'PLAN_EXPIRED',
      exitCode: 6,
      message: expect.stringContaining('2026-03-03'),
    })
  })

  test('of another engine version or another deployment is refused', async () => {
    const bytes = await planned({ [settings]: parameter('colour', 'red') })
    const { format: _format, signature: _signature, ...body } = JSON.parse(bytes.toString('utf8'))
    const { planId } = await import('../../controller/domain/plan.ts')
    const older = { ...body.plan, engine: 'fibric/0.0.1' }
    const resigned = encodePlanFile({ ...body, plan: { ...older, id: planId(older) } }, engine.deployment.signingKey)
    expect(refusalOf(resigned)).toMatchObject({ code: 'PLAN_OTHER_ENGINE', exitCode: 6 })
    const other = await testEngine()
    try {
      expect(createPublicKey(other.deployment.signingKey.privateKey)).toBeDefined()
      expect(() => loadPlan(other, bytes, 'one.plan')).toThrow(
        expect.objectContaining({ code: 'PLAN_OTHER_DEPLOYMENT', exitCode: 6 }),
      )
    } finally {
      await other.close()
    }
  })

  test('reads no directory: the repository may be gone', async () => {
    const bytes = await planned({ [settings]: asset, 'tenants/acme/run.sh': 'echo hello\n' })
    engine.become({})
    expect(fates(await applied(bytes))).toEqual({ 'acme/Asset/count': 'applied' })
    engine.become({ ...open, [settings]: asset, 'tenants/acme/run.sh': 'echo hello\n' })
    expect(summary(await engine.plan())).toEqual([])
  })
})

describe('staleness', () => {
  test('an object that moved makes a plan stale, which names it, the receipt, the person and the time', async () => {
    const bytes = await planned({ [settings]: parameter('colour', 'red') })
    await engine.apply()
    engine.write({ [settings]: parameter('colour', 'blue') })
    engine.time.now += 60_000
    const [moved] = (await engine.apply()).outcomes
    const error = await applied(bytes).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'PLAN_STALE', exitCode: 6 })
    expect(error.message).toContain('`acme/Parameter/colour` was moved by local:test at 2026-03-02T09:01:00')
    expect(error.message).toContain(moved!.receiptId)
  })

  test('a deletion is named with its receipt too', async () => {
    engine = await testEngine({ ...open, [settings]: docs(parameter('colour', 'red'), parameter('size', 1)) })
    await engine.apply()
    engine.write({ [settings]: docs(parameter('colour', 'blue'), parameter('size', 1)) })
    const bytes = await savePlan(engine, await engine.plan())
    engine.write({ [settings]: parameter('size', 1) })
    const [gone] = (await engine.apply()).outcomes
    await expect(applied(bytes)).rejects.toThrow(gone!.receiptId!)
  })

  test('an object that the change refers to counts, whether it changes or goes', async () => {
    const roles = 'tenants/acme/roles.yaml'
    engine = await testEngine({ ...open, [roles]: role('clerk') })
    await engine.apply()
    engine.write({ [settings]: user('eve', 'clerk') })
    const bytes = await savePlan(engine, await engine.plan())
    engine.write({ [settings]: null, [roles]: role('clerk', 'read, write') })
    await engine.apply()
    await expect(applied(bytes)).rejects.toThrow(/`acme\/Role\/clerk` was moved/)
  })

  test('unrelated changes do not make a plan stale', async () => {
    const bytes = await planned({ [settings]: parameter('colour', 'red') })
    engine.become({
      ...open,
      'tenants/acme/other.yaml': parameter('size', 1),
      'tenants/beta/tenant.yaml': tenant('beta'),
    })
    await engine.apply()
    expect(fates(await applied(bytes))).toEqual({ 'acme/Parameter/colour': 'applied' })
  })

  const gating: readonly (readonly [string, Files])[] = [
    [
      'changed',
      {
        'tenants/_platform/policy.yaml': policy(
          'config',
          allowAll,
          '{id: calm, match: {capability: config.menu.delete}, decision: BLOCK}',
        ),
      },
    ],
    [
      'added',
      {
        'tenants/_platform/more.yaml': policy(
          'more',
          '{id: calm, match: {capability: config.menu.delete}, decision: BLOCK}',
        ),
      },
    ],
    [
      'added to the tenant',
      {
        'tenants/acme/more.yaml': policy(
          'more',
          '{id: calm, match: {capability: config.menu.delete}, decision: BLOCK}',
        ),
      },
    ],
  ]
  test.each(gating)('a policy that gates the plan makes it stale when it is %s', async (_name, files) => {
    const bytes = await planned({ [settings]: parameter('colour', 'red') })
    engine.write({ [settings]: null, ...files })
    await engine.apply()
    await expect(applied(bytes)).rejects.toMatchObject({
      code: 'PLAN_STALE',
      message: expect.stringContaining('TrustPolicy/'),
    })
  })

  test('a policy of another tenant does not', async () => {
    engine = await testEngine({ ...open, 'tenants/beta/tenant.yaml': tenant('beta') })
    await engine.apply()
    engine.write({ [settings]: parameter('colour', 'red') })
    const bytes = await savePlan(engine, await engine.plan())
    engine.write({
      [settings]: null,
      'tenants/beta/more.yaml': policy('more', '{id: calm, match: {capability: config.menu.delete}, decision: BLOCK}'),
    })
    await engine.apply()
    expect(fates(await applied(bytes))).toEqual({ 'acme/Parameter/colour': 'applied' })
  })

  test('a plan that was carried out in part goes on where it stopped, its own policies included', async () => {
    engine = await testEngine(open)
    await engine.apply()
    engine.write({
      'tenants/_platform/more.yaml': policy(
        'more',
        '{id: calm, match: {capability: config.menu.delete}, decision: BLOCK}',
      ),
      [settings]: parameter('colour', 'red'),
    })
    const planned = await engine.plan()
    const bytes = await savePlan(engine, planned)
    await engine.apply({ scope: { slug: '_platform' as never } })
    expect(fates(await applied(bytes))).toEqual({
      '_platform/TrustPolicy/more': 'unchanged',
      'acme/Parameter/colour': 'applied',
    })
    expect(fates(await applied(bytes))).toEqual({
      '_platform/TrustPolicy/more': 'unchanged',
      'acme/Parameter/colour': 'unchanged',
    })
  })

  test('what is held when the plan is applied again stays held once', async () => {
    engine = await testEngine(governed)
    await engine.apply()
    engine.write({ [settings]: role('clerk') })
    const bytes = await savePlan(engine, await engine.plan())
    expect(fates(await applied(bytes))).toEqual({ 'acme/Role/clerk': 'held' })
    expect(fates(await applied(bytes))).toEqual({ 'acme/Role/clerk': 'waiting' })
    expect(await engine.sql(`select from fibric.action where state = 'held'`)).toHaveLength(1)
  })
})

describe('the brakes', () => {
  test('stop a saved plan that would lock everybody out', async () => {
    engine = await testEngine(governed)
    await engine.apply()
    engine.write({ 'tenants/_platform/people.yaml': docs(role('admin', 'read, write, approve'), user('ana')) })
    const bytes = await savePlan(engine, await engine.plan())
    const before = await engine.census()
    await expect(applied(bytes)).rejects.toMatchObject({ code: 'BRAKE', exitCode: 8 })
    expect(await engine.census()).toEqual(before)
  })

  test('stop a saved plan over an object that was protected since', async () => {
    engine = await testEngine({ ...open, 'tenants/beta/tenant.yaml': tenant('beta') })
    await engine.apply()
    engine.write({ 'tenants/beta/tenant.yaml': null })
    const bytes = await savePlan(engine, await engine.plan())
    engine.write({ 'tenants/beta/tenant.yaml': doc('Tenant', 'beta', '{displayName: beta}') })
    await engine.apply()
    await expect(applied(bytes)).rejects.toMatchObject({
      exitCode: expect.toSatisfy((code: number) => code === 6 || code === 8),
    })
  })
})

describe('the id of a plan', () => {
  test('stays under a re-plan, a moved file and another spelling, and changes with an edit', async () => {
    engine = await testEngine(open)
    await engine.apply()
    engine.write({ [settings]: docs(parameter('colour', 'red'), parameter('size', 1)) })
    const { id } = (await engine.plan()).plan
    engine.time.now += 3_600_000
    expect((await engine.plan()).plan.id).toBe(id)
    engine.write({
      [settings]: null,
      'tenants/acme/a/b.yaml': `# moved\n${parameter('size', 1)}`,
      'tenants/acme/c.yml': parameter('colour', 'red'),
    })
    expect((await engine.plan()).plan.id).toBe(id)
    engine.write({ 'tenants/acme/c.yml': parameter('colour', 'blue') })
    expect((await engine.plan()).plan.id).not.toBe(id)
  })

  test('stays under a commit, a rebase and another author', async () => {
    engine = await testEngine(open, { git: true })
    engine.git!.commit()
    await engine.apply()
    engine.write({ [settings]: parameter('colour', 'red') })
    const { id } = (await engine.plan()).plan
    engine.git!.commit({ author: { name: 'Eve', email: 'eve@example.com' } })
    expect((await engine.plan()).plan.id).toBe(id)
    engine.git!.git(
      'commit',
      '--quiet',
      '--amend',
      '--no-gpg-sign',
      '-m',
      'another',
      '--author',
      'Bob <bob@example.com>',
    )
    expect((await engine.plan()).plan.id).toBe(id)
    expect((await engine.plan({ ref: 'HEAD' })).plan.id).toBe(id)
  })
})

const asset = doc('Asset', 'count', '{type: shell, shell: {entry: {file: run.sh}}}')

/** The file of a plan that adds these to an open platform. */
async function planned(files: Files): Promise<Buffer> {
  engine = await testEngine(open)
  await engine.apply()
  engine.write(files)
  return savePlan(engine, await engine.plan())
}

function applied(bytes: Buffer): Promise<Applied> {
  return applySaved(engine, loadPlan(engine, bytes, 'one.plan'), { confirmDeletes: null })
}

function refusalOf(bytes: Buffer): (Error & { code?: string; exitCode?: number }) | null {
  try {
    loadPlan(engine, bytes, 'one.plan')
    return null
  } catch (error) {
    return error as Error
  }
}

function lineOf(value: Json): Buffer {
  return Buffer.concat([canonicalBytes(value), Buffer.of(0x0a)])
}
