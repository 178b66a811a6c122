import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Engine } from '../../controller/engine.ts'
import { answerPlans } from '../../controller/operations/plans.ts'
import { listReceipts } from '../../controller/operations/receipts.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { governed, role } from './repositories.ts'

let engine: TestEngine
let ana: Engine
let ben: Engine
let id: string

beforeEach(async () => {
  engine = await testEngine(governed)
  await engine.apply()
  ana = await engine.as('_platform/User/ana')
  ben = await engine.as('_platform/User/ben')
  engine.write({ 'tenants/acme/roles.yaml': role('clerk') })
  id = (await engine.apply()).outcomes[0]!.actionId!
  await answerPlans(ana, id, 'approve', null)
})
afterEach(() => engine.close())

/** As somebody leaves it who is killed after the answer is kept and before it is acted on. */
const noteVeto = () =>
  engine.sql(
    `insert into fibric.approval (tenant_id, reseller_id, action_id, person, decision, change_digest, roles, created_at)
     select tenant_id, reseller_id, action_id, '_platform/User/cleo', 'veto', change_digest, '{}', now()
       from fibric.action where action_id = $1`,
    [id],
  )

test('a veto that was noted and not yet acted on is not outvoted by the approval that completes the quorum', async () => {
  await noteVeto()
  await expect(answerPlans(ben, id, 'approve', null)).rejects.toMatchObject({ code: 'STATE_CONFLICT' })
  const [action] = await engine.sql<{ state: string; cause: string }>(
    'select state, cause from fibric.action where action_id = $1',
    [id],
  )
  expect(action).toEqual({ state: 'vetoed', cause: 'vetoed by _platform/User/cleo' })
  expect(await engine.sql("select from fibric.object where address = 'acme/Role/clerk'")).toEqual([])
  const receipts = await listReceipts(engine, null, null)
  expect(receipts.filter(({ kind, body }) => kind === 'receipt' && body.action_id === id)).toHaveLength(1)
})
