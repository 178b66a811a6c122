import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { platformTenantId, type TenantId } from '../../controller/domain/ids.ts'
import { removeSecret, rotateKeyOf, setSecret, showSecrets } from '../../controller/operations/secrets.ts'
import { readCredential, readSecret, writeSecret } from '../../controller/tenancy/secrets.ts'
import { redactorOf } from '../../controller/tenancy/secrets-redaction.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'

let engine: TestEngine

beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.close())

const read = async (name: string, field = 'value', versions: 1 | 2 = 1, tenant: TenantId = platformTenantId) =>
  (await readSecret(engine.database, tenant, name, field, { versions, now: engine.clock() })).map(
    ({ version, value }) => `${version}:${value.toString('utf8')}`,
  )
const set = (secret: string, value: string, keepMs = 0) =>
  setSecret(engine, '_platform', secret, Buffer.from(value), keepMs)

describe('a secret', () => {
  test('comes back as it went in, by name, field and version', async () => {
    await set('shop.client_secret', 'first-value')
    expect(await read('shop', 'client_secret')).toEqual(['1:first-value'])
    expect(await read('shop', 'other')).toEqual([])
    expect(await read('unknown')).toEqual([])
  })

  test('that is set again has one live version, and the bytes of the one before are gone', async () => {
    await set('again', 'first-value')
    await set('again', 'second-value')
    expect(await read('again', 'value', 2)).toEqual(['2:second-value'])
    const rows = await engine.sql<{ sealed: unknown }>(
      `select sealed from fibric.secret_version where name = 'again' and version = 1`,
    )
    expect(rows).toEqual([{ sealed: null }])
  })

  test('that is rotated has two, newest first, until the time is over', async () => {
    await set('hook.webhook', 'first-value')
    await set('hook.webhook', 'second-value', 3_600_000)
    expect(await read('hook', 'webhook', 2)).toEqual(['2:second-value', '1:first-value'])
    expect(await read('hook', 'webhook', 1)).toEqual(['2:second-value'])
    await set('hook.webhook', 'third-value', 3_600_000)
    expect(await read('hook', 'webhook', 2)).toEqual(['3:third-value', '2:second-value'])
    engine.time.now += 3_600_001
    expect(await read('hook', 'webhook', 2)).toEqual(['3:third-value'])
  })

  test('that is deleted is gone, and its version numbers are never given again', async () => {
    await set('gone.username', 'someone-else')
    await set('gone.password', 'first-value')
    await removeSecret(engine, '_platform', 'gone')
    expect(await readCredential(engine.database, platformTenantId, 'gone')).toEqual(new Map())
    await expect(removeSecret(engine, '_platform', 'gone')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await set('gone.password', 'second-value')
    expect(await read('gone', 'password')).toEqual(['2:second-value'])
  })

  test('survives a rotation of its domain key, which leaves no row under the old one', async () => {
    await set('kept', 'first-value')
    await set('kept', 'second-value', 3_600_000)
    const before = await engine.sql<{ sealed: Buffer }>(
      `select sealed from fibric.secret_version where name = 'kept' order by version`,
    )
    const { from, to } = await rotateKeyOf(engine, '_platform')
    expect(from).not.toBe(to)
    expect(await read('kept', 'value', 2)).toEqual(['2:second-value', '1:first-value'])
    expect(
      await engine.sql(`select sealed from fibric.secret_version where name = 'kept' order by version`),
      'values are not touched',
    ).toEqual(before)
    expect(await engine.sql('select key_id, current from fibric.tenant_key')).toEqual([{ key_id: to, current: true }])
  })

  test('does not open once its sealed bytes were moved to another row', async () => {
    await set('mine', 'value-of-mine')
    await set('theirs', 'value-of-theirs')
    await engine.sql(`update fibric.secret_version t set wrapped_key = m.wrapped_key, sealed = m.sealed
                        from fibric.secret_version m where m.name = 'mine' and t.name = 'theirs'`)
    await expect(read('theirs')).rejects.toMatchObject({ code: 'ROOT_KEY_INVALID' })
  })

  test('has as many versions as it was written, whoever writes at once', async () => {
    const values = Array.from({ length: 12 }, (_, index) => `value-number-${index}`)
    const written = await Promise.all(values.map((value) => set('race', value)))
    expect(written.map(({ version }) => version).sort((a, b) => a - b)).toEqual(values.map((_, index) => index + 1))
    const last = written.findIndex(({ version }) => version === values.length)
    expect(await read('race')).toEqual([`${values.length}:${values[last]}`])
  })

  test('is written by compare-and-set where a version is expected', async () => {
    await set('cas', 'first-value')
    const place = { tenantId: platformTenantId, name: 'cas', field: 'value' }
    const change = { person: 'test', now: engine.clock(), keepPreviousMs: 0, expectVersion: 1 }
    await writeSecret(engine.database, place, Buffer.from('second-value'), change)
    await expect(writeSecret(engine.database, place, Buffer.from('other-value'), change)).rejects.toMatchObject({
      code: 'STATE_CONFLICT',
    })
  })

  test.each([
    { name: 'short', value: '1234567' },
    { name: 'empty', value: '' },
    { name: 'long', value: 'x'.repeat(70_000) },
  ])('that is $name is refused, by name and not by value', async ({ name, value }) => {
    const refused = set(name, value)
    await expect(refused).rejects.toMatchObject({ code: 'USAGE' })
    if (value !== '') await expect(refused).rejects.not.toThrow(value)
  })

  test.each(['Upper', 'a/b', 'a.b.c', 'a.', '.b', '../x', 'a b'])('cannot be called `%s`', async (name) => {
    await expect(set(name, 'long-enough')).rejects.toMatchObject({ code: 'USAGE' })
  })

  test('belongs to its domain: another actor finds no such domain', async () => {
    await expect(setSecret(engine, 'acme', 'x', Buffer.from('long-enough'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    const reader = await engine.as(null, 'read_only')
    await expect(setSecret(reader, '_platform', 'x', Buffer.from('long-enough'))).rejects.toMatchObject({
      code: 'INSUFFICIENT_SCOPE',
    })
    expect((await showSecrets(reader, '_platform')).length).toBeGreaterThan(0)
  })

  test('leaves its changes in the ledger, and its value nowhere', async () => {
    const canary = 'canary-3f81c2d7-in-the-ledger'
    await set('canary', canary)
    await set('canary', `${canary}-next`, 1000)
    await removeSecret(engine, '_platform', 'canary')
    const entries = await engine.sql<{ kind: string; bytes: Buffer }>(
      `select kind, bytes from fibric.ledger_entry where kind like 'control.secret.%' and bytes::text like '%' || encode('canary', 'hex') || '%' order by serial`,
    )
    expect(entries.map(({ kind }) => kind)).toEqual([
      'control.secret.set',
      'control.secret.rotate',
      'control.secret.delete',
    ])
    const tables = await engine.sql<{ name: string }>(
      `select relname as name from pg_class where relnamespace = 'fibric'::regnamespace and relkind = 'r'`,
    )
    for (const { name } of tables) {
      const rows = await engine.sql<{ row: string }>(`select t::text as row from fibric.${name} t`)
      const shown = rows.map(({ row }) => row).join('\n')
      expect(shown).not.toContain(canary)
      expect(shown).not.toContain(Buffer.from(canary).toString('hex'))
    }
  })
})

describe('redaction', () => {
  const secretText = fc.string({ minLength: 8, maxLength: 40, unit: 'grapheme' }).filter((text) => text.isWellFormed())
  const known = (value: string) =>
    redactorOf([{ name: 'shop', field: 'value', version: 1, value: Buffer.from(value, 'utf8') }])

  test('finds a value as it is, in JSON, in URLs and in base64, whatever stands around it', () => {
    fc.assert(
      fc.property(secretText, fc.string(), fc.string({ maxLength: 3 }), (value, around, before) => {
        const { text } = known(value)
        const inside = (encoded: string) => `${around}${encoded}${around}`
        // A backslash before a value that begins with a quote reads as the value in JSON, and goes with it.
        const kept = `${text(around)}[secret shop.value]${text(around)}`
        if (around.endsWith('\\')) expect(text(inside(value))).not.toContain(value)
        else expect(text(inside(value))).toBe(kept)
        expect(text(JSON.stringify({ a: value })).includes(JSON.stringify(value).slice(1, -1))).toBe(false)
        expect(text(`https://x/?a=${encodeURIComponent(value)}`)).not.toContain(encodeURIComponent(value))
        const basic = Buffer.from(`${before}${value}${around}`)
        const decoded = Buffer.from(text(basic.toString('base64')).replaceAll('[secret shop.value]', ''), 'base64')
        expect(decoded.includes(value)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('goes through every string, key and number of a value', () => {
    const { json } = known('12345678')
    expect(json({ '12345678': [12345678, { deep: 'x12345678y' }], kept: 1234567 })).toEqual({
      '[secret shop.value]': ['[secret shop.value]', { deep: 'x[secret shop.value]y' }],
      kept: 1234567,
    })
  })
})
