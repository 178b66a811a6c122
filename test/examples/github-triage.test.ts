import { afterAll, beforeAll, expect, test } from 'vitest'
import { deliveryOf, type Payload, payloadsOf } from '../../examples/github-triage/deliver.ts'
import { type Forge, startForge } from '../../examples/github-triage/forge.ts'
import { type Example, goldenOf, startExample, until, untrueIn } from './world.ts'

// Every payload that GitHub's community has collected for three events, signed as GitHub signs. What ought to come of them is
// read off the payloads here a second time, in plain JavaScript.

const token = 'Bearer token-of-the-app'
const secret = 'what-github-signs-with'

let forge: Forge
let example: Example
beforeAll(async () => {
  forge = await startForge({ port: 0, token })
  example = await startExample('github-triage', { replace: { '4383': String(forge.port) } })
  await example.fibric('secrets set github-app --tenant oss', { stdin: token })
  await example.fibric('secrets set github-app.webhook --tenant oss', { stdin: secret })
  await example.fibric('connections test github --tenant oss')
})
afterAll(async () => {
  await example?.close()
  await forge?.close()
})

const doors = { issues: 'issue.changed', pull_request: 'pull.changed', code_scanning_alert: 'alert.changed' } as const
type Event = keyof typeof doors

async function deliver(event: string, door: string, payload: Payload, key = secret) {
  const { body, headers } = deliveryOf(event, payload, key)
  return example.send('POST', `/v1/t/oss/ingest/github/${door}`, { raw: body, headers })
}

/** How many of the payloads an operator ought to make a proposal of. */
function proposalsExpected(): number {
  const issues = payloadsOf('issues') as unknown as { action: string; issue: { title: string; body: string | null } }[]
  const pulls = payloadsOf('pull_request') as unknown as { action: string; pull_request: { draft: boolean } }[]
  const alerts = payloadsOf('code_scanning_alert') as unknown as {
    action: string
    alert: { rule: { severity: string } }
  }[]
  return [
    ...issues.filter(
      ({ action, issue }) =>
        ['opened', 'edited'].includes(action) &&
        /spelling|typo|readme|documentation/i.test(`${issue.title} ${issue.body}`),
    ),
    ...pulls.filter((each) => ['opened', 'ready_for_review'].includes(each.action) && !each.pull_request.draft),
    ...alerts.filter(
      ({ action, alert }) => ['created', 'reopened'].includes(action) && alert.rule.severity === 'error',
    ),
  ].length
}

test('every payload of GitHub is taken in, and what is alike is done once', async () => {
  for (const event of Object.keys(doors) as Event[]) {
    for (const payload of payloadsOf(event)) {
      const { status, json } = await deliver(event, doors[event], payload)
      expect([status, json.status], `${event} ${payload.action}`).toEqual([202, 'appended'])
    }
  }
  const expected = proposalsExpected()
  expect(expected).toBeGreaterThan(10)
  const receipts = await until(
    () => example.receipts('oss'),
    (list) => list.length >= expected,
  )
  expect(forge.requests().sort()).toEqual([
    'POST /incidents {"source":"Codertocat/Hello-World#10","title":"Query built from user-controlled sources"}',
    'POST /repos/Codertocat/Hello-World/issues/1/labels {"labels":["documentation"]}',
    'POST /repos/Codertocat/Hello-World/pulls/2/requested_reviewers {"team_reviewers":["maintainers"]}',
  ])
  const outcomes = receipts.map(({ body }) => body.outcome)
  expect(outcomes.filter((outcome) => outcome === 'applied')).toHaveLength(3)
  expect(outcomes.filter((outcome) => outcome === 'deduplicated')).toHaveLength(expected - 3)
})

test("somebody else's repository is blocked, whoever signed for it", async () => {
  const [payload] = payloadsOf('issues').filter(({ action }) => action === 'opened')
  const other = { ...payload!, repository: { name: 'elsewhere', owner: { login: 'octo-org' } } }
  expect((await deliver('issues', doors.issues, other)).status).toBe(202)
  const blocked = await until(
    async () => (await example.receipts('oss')).filter(({ body }) => body.outcome === 'blocked'),
    (list) => list.length > 0,
  )
  expect(blocked.map(({ body }) => [body.capability, body.entity_key])).toEqual([
    ['issue.label', 'issue:octo-org/elsewhere/1'],
  ])
  expect(forge.requests()).toHaveLength(3)
  await example.fibric(`trace ${String(blocked[0]!.body.action_id)}`)
})

test('a delivery nobody signed for, and an event nobody listed, are refused and not stored', async () => {
  const before = await example.json<{ data: unknown[] }>('events list --tenant oss')
  const [payload] = payloadsOf('issues')
  expect((await deliver('issues', doors.issues, payload!, 'what-somebody-else-signs-with')).status).toBe(401)
  expect((await deliver('push', 'branch.pushed', payloadsOf('push')[0]!)).status).toBe(401)
  const after = await example.json<{ data: unknown[] }>('events list --tenant oss')
  expect(after.data).toHaveLength(before.data.length)
})

test('the README shows what happens', async () => {
  await expect(example.transcript()).toMatchFileSnapshot(goldenOf('github-triage'))
  expect(untrueIn('github-triage', example.transcript())).toEqual([])
})
