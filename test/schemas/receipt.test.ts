import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { controlEntry, type ReceiptFacts, receiptEntry } from '../../controller/domain/receipt.ts'
import { formats } from '../../schemas/formats.ts'

const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../schemas/receipt.json'), 'utf8'))
const ajv = new Ajv2020({
  strict: true,
  allowUnionTypes: true,
  strictTypes: false,
  formats: { 'date-time': formats['date-time'].test },
})
const validate = ajv.compile(schema)
const errorsOf = (bytes: Uint8Array) => (validate(JSON.parse(Buffer.from(bytes).toString())) ? [] : validate.errors)

const hex = '0'.repeat(32)
const digest = `sha256:${'a'.repeat(64)}`
const facts = {
  receiptId: `rc_${hex}`,
  tenantId: 't_platform',
  resellerId: null,
  correlationId: `co_${hex}`,
  eventId: null,
  planId: `pl_${hex}`,
  configPlanId: digest,
  actionId: `act_${hex}`,
  proposer: { kind: 'person', name: 'local:jane' },
  authors: [],
  connection: 'fibric',
  tool: 'config.role.create',
  capability: 'config.role.create',
  entityKey: '_platform/Role/ops',
  idempotencyKey: `_platform/Role/ops:0:${digest}`,
  argsDigest: digest,
  verdict: { decision: 'ALLOW', rules: [], reasons: [] },
  outcome: 'applied',
  cause: null,
  approvals: [],
  source: { commit: null },
  attempts: 1,
  proposedAt: '2026-01-01T00:00:00.000Z',
  endedAt: '2026-01-01T00:00:01.000Z',
  change: {
    address: '_platform/Role/ops',
    addressBefore: null,
    verb: 'create',
    generationBefore: 0,
    generation: 1,
    digestBefore: null,
    digestAfter: digest,
    changeDigest: digest,
    authority: { class: 'neutral', reasons: [] },
  },
} as unknown as ReceiptFacts

test('a receipt of an applied change satisfies the contract', () => {
  expect(errorsOf(receiptEntry(facts).bytes)).toEqual([])
})

test('so does a refusal, which changed nothing', () => {
  const change = { ...facts.change!, generation: null }
  expect(errorsOf(receiptEntry({ ...facts, outcome: 'blocked', verdict: null, change }).bytes)).toEqual([])
})

test('a state that is not terminal, an unknown field and a foreign id do not', () => {
  expect(errorsOf(receiptEntry({ ...facts, outcome: 'held' }).bytes)).not.toEqual([])
  expect(errorsOf(receiptEntry({ ...facts, receiptId: 'ev_1' as never }).bytes)).not.toEqual([])
  expect(validate({ ...JSON.parse(receiptEntry(facts).bytes.toString()), extra: 1 })).toBe(false)
})

test('an entry of a control operation satisfies the contract', () => {
  const body = {
    tenantId: 't_platform',
    person: 'local:jane',
    at: '2026-01-01T00:00:00.000Z',
    details: { key: 'key_1' },
  } as never
  expect(errorsOf(controlEntry(`rc_${hex}` as never, 'control.key.create', body).bytes)).toEqual([])
})
