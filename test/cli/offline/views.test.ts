import { expect, onTestFinished, test } from 'vitest'
import { renderActions } from '../../../cli/views/actions.ts'
import { renderAnswered } from '../../../cli/views/plans.ts'
import type { ActionShown } from '../../../controller/operations/effect-objects.ts'
import type { AnswerShown } from '../../../controller/operations/objects.ts'
import { fibric, folderWith, remove, root } from '../../support/cli.ts'

test('an action that the gate refused is listed with the reasons of its verdict', () => {
  const action = {
    id: 'act_1',
    state: 'blocked',
    tenant: 'acme',
    capability: 'order.release',
    entity_key: 'order:1',
    cause: null,
    stopped: null,
    verdict: { reasons: ['no rule allows it'] },
  } as unknown as ActionShown
  expect(renderActions([action])).toMatch(/blocked +acme +order.release +order:1 +no rule allows it\n/)
})

test('an approved action that is still under way is not called done', () => {
  const answer = { entity_key: 'order:1', outcome: 'intent', reasons: [], action_id: 'act_1' } as unknown as AnswerShown
  expect(renderAnswered([answer])).toBe('order:1 is under way: fibric why-waiting act_1')
})

test('nothing to evaluate is wrong usage, and no silent success', async () => {
  const folder = folderWith({ 'actions.ndjson': '\n' })
  onTestFinished(() => remove(folder))
  const ran = await fibric(['policy', 'eval', '--tenant', 'acme', '--action', 'actions.ndjson'], folder)
  expect([ran.exit, ran.stderr]).toEqual([64, expect.stringContaining('`actions.ndjson` holds no action')])
})

test.each([
  { argv: ['up', '--port', '99999'], says: '`--port` cannot be `99999`: it is no whole number of at most 65535' },
  { argv: ['receipts', 'list', '--limit', 'abc'], says: '`--limit` cannot be `abc`: it is no whole number' },
])('a number that is none is named: $argv', async ({ argv, says }) => {
  const ran = await fibric(argv, root)
  expect([ran.exit, ran.stderr.split('\n')[0]]).toEqual([64, `error ${says} (USAGE)`])
})
