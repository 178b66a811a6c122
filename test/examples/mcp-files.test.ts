import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findSandbox } from '../../controller/connectors/sandbox.ts'
import { type Example, goldenOf, startExample, until, untrueIn } from './world.ts'

// A third-party MCP server as a connection. What is looked at is the folder it may write to.

const sandbox = await findSandbox()
const missing = sandbox.kind === 'none'
if (sandbox.kind === 'none') console.warn(`skipped: ${sandbox.reason}; ${sandbox.hint}`)

let files: string
let inbox: string
let example: Example
beforeAll(async () => {
  if (missing) return
  files = realpathSync(mkdtempSync(join(tmpdir(), 'fibric-files-')))
  chmodSync(files, 0o755)
  inbox = join(files, 'inbox')
  mkdirSync(inbox)
  chmodSync(inbox, 0o777)
  example = await startExample('mcp-files', { replace: { '/tmp/fibric-files': files } })
})
afterAll(async () => {
  await example?.close()
  if (files) rmSync(files, { recursive: true, force: true })
})

test.skipIf(missing)('a note becomes a file; what is there already is written over once a person says so', async () => {
  await example.fibric('connections test files --tenant office')
  const key = await example.key('office', 'ingest')
  const note = async (name: string, text: string): Promise<number> => {
    const body = { source: 'desk', event_type: 'note.taken', payload: { name, text } }
    return (await example.send('POST', '/v1/events', { key, headers: { 'idempotency-key': text }, body })).status
  }
  expect(await note('meeting.md', 'Tuesday, at ten')).toBe(202)
  await until(
    () => example.receipts('office'),
    (list) => list.length === 1,
  )
  expect(readFileSync(join(inbox, 'meeting.md'), 'utf8')).toBe('Tuesday, at ten')

  expect(await note('meeting.md', 'Wednesday, at ten')).toBe(202)
  const waiting = await until(
    () => example.json<{ data: { id: string; state: string }[] }>('actions list --tenant office'),
    ({ data }) => data.some(({ state }) => state === 'held'),
  )
  expect(readFileSync(join(inbox, 'meeting.md'), 'utf8')).toBe('Tuesday, at ten')
  await example.fibric('actions list --tenant office')
  const nora = await example.key('office', 'operate', 'nora')
  await example.fibric(`plans approve ${waiting.data[0]!.id}`, { token: nora })
  expect(readFileSync(join(inbox, 'meeting.md'), 'utf8')).toBe('Wednesday, at ten')
  await example.fibric(`trace ${waiting.data[0]!.id}`)
})

test.skipIf(missing)('a name that would lead elsewhere is rejected before it is sent', async () => {
  const key = await example.key('office', 'ingest')
  const before = (await example.receipts('office')).length
  const body = { source: 'desk', event_type: 'note.taken', payload: { name: '../../etc/passwd.md', text: 'x' } }
  expect((await example.send('POST', '/v1/events', { key, body })).status).toBe(202)
  const receipts = await until(
    () => example.receipts('office'),
    (list) => list.length > before,
  )
  expect(receipts.at(-1)!.body).toMatchObject({ capability: 'file.create', outcome: 'rejected' })
  expect(readdirSync(inbox)).toEqual(['meeting.md'])
})

test.skipIf(missing)(
  'of two notes of one new name at once, one is kept and the other is not written over it unasked',
  async () => {
    const key = await example.key('office', 'ingest')
    const texts = ['first', 'second']
    await Promise.all(
      texts.map((text) => {
        const body = { source: 'desk', event_type: 'note.taken', payload: { name: 'both.md', text } }
        return example.send('POST', '/v1/events', { key, body })
      }),
    )
    const ended = await until(
      async () => (await example.receipts('office')).filter(({ body }) => body.entity_key === 'file:both%2Emd'),
      (list) => list.length === 2,
      20,
    )
    // The second may also have seen the file of the first; then it waits for a person and has no receipt yet.
    expect([['applied'], ['applied', 'deduplicated']]).toContainEqual(ended.map(({ body }) => body.outcome).toSorted())
    expect(texts).toContain(readFileSync(join(inbox, 'both.md'), 'utf8'))
  },
)

test.skipIf(missing)('the README shows what happens', async () => {
  await expect(example.transcript()).toMatchFileSnapshot(goldenOf('mcp-files'))
  expect(untrueIn('mcp-files', example.transcript())).toEqual([])
})
