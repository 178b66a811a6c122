import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TenantId } from '../../controller/domain/ids.ts'
import { breakGlass } from '../../controller/operations/runtime-records.ts'
import { askMark, moveConfigMark, readOnceMoved } from '../../controller/store/config-marks.ts'
import { AppendWatch } from '../../controller/store/last-serials.ts'
import { docs, open, parameter } from '../operations/repositories.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'

const settings = 'tenants/acme/settings.yaml'
let engine: TestEngine

beforeEach(async () => {
  engine = await testEngine({ ...open, [settings]: docs(parameter('colour', 'red')) })
  await engine.apply()
})
afterEach(() => engine.close())

const mark = () => askMark(engine.database, 0)

test('the mark moves with what is applied, whatever its kind, and not with a plan or a pass that changes nothing', async () => {
  const before = await mark()
  await engine.plan()
  await engine.pass()
  expect(await mark()).toBe(before)
  engine.write({ [settings]: docs(parameter('colour', 'blue')) })
  await engine.apply()
  expect(await mark()).not.toBe(before)
})

test('the mark moves when something is deleted, and when the glass is broken', async () => {
  const before = await mark()
  await breakGlass(engine, 'locked out', 60_000)
  const broken = await mark()
  expect(broken).not.toBe(before)
  engine.write({ [settings]: null })
  await engine.apply({}, 1)
  expect(await mark()).not.toBe(broken)
})

test('a batch that is rolled back moves nothing', async () => {
  const before = await mark()
  const [{ tenant_id } = { tenant_id: '' }] = await engine.sql<{ tenant_id: string }>(
    `select tenant_id from fibric.domain where slug = 'acme'`,
  )
  const failing = engine.database.asWorker([tenant_id as TenantId], async (tx) => {
    await moveConfigMark(tx, tenant_id as TenantId)
    throw new Error('thought better of')
  })
  await expect(failing).rejects.toThrow('thought better of')
  expect(await mark()).toBe(before)
})

test('what is read once something moved is read once, and once more after the next change', async () => {
  let reads = 0
  const read = readOnceMoved(engine.database, async () => ++reads)
  expect(await read()).toBe(1)
  expect(await read()).toBe(1)
  engine.write({ [settings]: docs(parameter('colour', 'blue')) })
  await engine.apply()
  expect(await read()).toBe(2)
})

test('a read that failed is tried again, although nothing moved', async () => {
  let reads = 0
  const read = readOnceMoved(engine.database, async () => {
    if (++reads === 1) throw new Error('away')
    return reads
  })
  await expect(read()).rejects.toThrow('away')
  expect(await read()).toBe(2)
})

test('what was appended lately is looked for, whosever process it was', async () => {
  const appended = new AppendWatch(engine.database, 'entries')
  expect(await appended.isDue(), 'nobody has looked yet').toBe(true)
  expect(appended.isQuiet).toBe(false)
  await engine.sql(`select setval('fibric.ledger_entry_serial_seq', 1000)`)
  expect(await appended.isDue()).toBe(true)
  expect(appended.isQuiet).toBe(false)
})
