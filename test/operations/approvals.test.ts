import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Engine } from '../../controller/engine.ts'
import { controlAction } from '../../controller/operations/actions.ts'
import { applyPlanned } from '../../controller/operations/apply.ts'
import { plan } from '../../controller/operations/plan.ts'
import { answerPlans, listWaiting, showPlans } from '../../controller/operations/plans.ts'
import { listReceipts } from '../../controller/operations/receipts.ts'
import { suspend } from '../../controller/operations/runtime-records.ts'
import { type Files, fates, type TestEngine, testEngine } from '../support/engine.ts'
import { hasProgram, sshKey } from '../support/git-repository.ts'
import { doc, docs, governed, heldWidening, people, policy, role, user } from './repositories.ts'

let engine: TestEngine
let ana: Engine
let ben: Engine
let cleo: Engine
afterEach(() => engine.close())

const clerk = 'acme/Role/clerk'
const roles = 'tenants/acme/roles.yaml'
const refused = { code: 'INSUFFICIENT_SCOPE', exitCode: 3 }
const hour = 3_600_000

/** The platform of four administrators, applied, with the role `clerk` held. */
async function start(files: Files = {}, options: { git?: boolean } = {}): Promise<void> {
  engine = await testEngine({ ...governed, ...files }, options)
  if (options.git) engine.git!.commit()
  await engine.apply()
  ;[ana, ben, cleo] = (await Promise.all(
    ['ana', 'ben', 'cleo'].map((name) => engine.as(`_platform/User/${name}`)),
  )) as [Engine, Engine, Engine]
}

async function holdClerk(): Promise<string> {
  engine.write({ [roles]: role('clerk') })
  const applied = await engine.apply()
  expect(fates(applied)).toEqual({ [clerk]: 'held' })
  return applied.outcomes[0]!.actionId!
}

const approve = async (who: Engine, id: string): Promise<string> =>
  (await answerPlans(who, id, 'approve', null))[0]!.outcome

const isApplied = async (address: string): Promise<boolean> =>
  (await engine.sql('select from fibric.object where address = $1 and digest is not null', [address])).length === 1

const stateOf = async (id: string): Promise<string> =>
  (await engine.sql<{ state: string }>('select state from fibric.action where action_id = $1', [id]))[0]!.state

const receiptsOf = async (id: string) =>
  (await listReceipts(engine, null, null)).filter(({ kind, body }) => kind === 'receipt' && body.action_id === id)

describe('a held change', () => {
  beforeEach(() => start())

  test('is carried out by the approvals of two people, before the second command returns', async () => {
    const id = await holdClerk()
    expect(await approve(ana, id)).toBe('held')
    expect(await isApplied(clerk)).toBe(false)
    expect(await approve(ben, id)).toBe('applied')
    expect(await isApplied(clerk)).toBe(true)
    const [receipt, ...more] = await receiptsOf(id)
    expect(more).toEqual([])
    const { approvals } = receipt!.body as { approvals: { person: string }[] }
    expect(approvals.map(({ person }) => person)).toEqual(['_platform/User/ana', '_platform/User/ben'])
    expect((await engine.plan()).plan.changes).toEqual([])
  })

  test('is not carried out by one person twice, whichever key they use', async () => {
    const id = await holdClerk()
    await approve(ana, id)
    await expect(approve(ana, id)).rejects.toMatchObject({ code: 'STATE_CONFLICT' })
    const secondKey = await engine.as('_platform/User/ana')
    await expect(approve(secondKey, id)).rejects.toThrow(/has answered/)
    expect(await stateOf(id)).toBe('held')
  })

  test('is cancelled, killed and resolved by nobody, who are told of the veto while there is something to veto', async () => {
    const id = await holdClerk()
    const verbs = ['cancel', 'kill', 'applied', 'failed'] as const
    for (const verb of verbs) {
      await expect(controlAction(ben, id, verb, 'why')).rejects.toMatchObject({
        code: 'STATE_CONFLICT',
        hint: `answer it with: fibric plans veto ${id}`,
      })
    }
    await approve(ana, id)
    await approve(ben, id)
    for (const verb of verbs) {
      await expect(controlAction(ben, id, verb, 'why')).rejects.toMatchObject({
        message: `\`${id}\` is a configuration change, and has ended: it is applied`,
        hint: `see: fibric plans show ${id}`,
      })
    }
  })

  test('is not carried out by who proposed it', async () => {
    engine.write({ [roles]: role('clerk') })
    const planned = await plan(ana, { directory: engine.directory, ref: null })
    const { outcomes } = await applyPlanned(ana, planned, { confirmDeletes: null })
    const id = outcomes[0]!.actionId!
    await expect(approve(ana, id)).rejects.toMatchObject(refused)
    expect(await approve(ben, id)).toBe('held')
    expect(await approve(cleo, id)).toBe('applied')
  })

  test('is not carried out by who lacks the role, by a machine, or by a key that may not approve', async () => {
    const id = await holdClerk()
    const machine = await engine.as(null)
    await expect(approve(machine, id)).rejects.toMatchObject(refused)
    const reader = await engine.as('_platform/User/ana', 'read_only')
    await expect(approve(reader, id)).rejects.toMatchObject(refused)
    expect(await stateOf(id)).toBe('held')
  })

  test('loses its approvals with an edit, and the edited change waits anew', async () => {
    const id = await holdClerk()
    await approve(ana, id)
    engine.write({ [roles]: role('clerk', 'read, write') })
    const edited = await engine.apply()
    expect(fates(edited)).toEqual({ [clerk]: 'held' })
    expect(await stateOf(id)).toBe('superseded')
    expect(await receiptsOf(id)).toHaveLength(1)
    const next = edited.outcomes[0]!.actionId!
    expect(next).not.toBe(id)
    expect(await approve(ben, next)).toBe('held')
    await expect(approve(ben, id)).rejects.toMatchObject({ code: 'STATE_CONFLICT' })
    expect(await approve(ana, next)).toBe('applied')
  })

  test('keeps its approvals when a newer commit or another person wants the very same', async () => {
    const id = await holdClerk()
    await approve(ana, id)
    engine.write({
      [roles]: `# moved, and more beside it\n${role('clerk')}`,
      'tenants/acme/p.yaml': doc('Parameter', 'a', '{value: 1}'),
    })
    const planned = await plan(cleo, { directory: engine.directory, ref: null })
    const adopted = await applyPlanned(cleo, planned, { confirmDeletes: null })
    expect(fates(adopted)).toEqual({ [clerk]: 'held', 'acme/Parameter/a': 'applied' })
    expect(adopted.outcomes.find(({ address }) => address === clerk)!.actionId).toBe(id)
    expect(await approve(ben, id)).toBe('applied')
  })

  test('is not vetoed any more once the last approval has carried it out, and no receipt lists such a veto', async () => {
    const id = await holdClerk()
    let meanwhile: (() => Promise<unknown>) | null = async () => {
      await approve(ana, id)
      await approve(ben, id)
    }
    // Between what cleo saw and the lock under which her answer is noted.
    const asWorker: Engine['database']['asWorker'] = (tenants, work, options) =>
      cleo.database.asWorker(
        tenants,
        (tx) =>
          work({
            ...{ execute: (sql, parameters) => tx.execute(sql, parameters) },
            query: async <Row>(sql: string, parameters?: readonly unknown[]) => {
              const first = sql.includes('action_id = any') && sql.includes('for update') ? meanwhile : null
              if (first !== null) meanwhile = null
              await first?.()
              return tx.query<Row>(sql, parameters)
            },
          }),
        options,
      )
    const late = { ...cleo, database: { ...cleo.database, asWorker } }
    await expect(answerPlans(late, id, 'veto', 'too late')).rejects.toMatchObject({ code: 'STATE_CONFLICT' })
    expect(await stateOf(id)).toBe('applied')
    const [receipt] = await receiptsOf(id)
    expect(receipt!.body.approvals).toMatchObject([{ decision: 'approve' }, { decision: 'approve' }])
    expect(await engine.sql(`select from fibric.approval where decision = 'veto'`)).toEqual([])
  })

  test('is superseded when a newer commit drops it', async () => {
    const id = await holdClerk()
    engine.write({ [roles]: null })
    await engine.apply()
    expect(await stateOf(id)).toBe('superseded')
    expect(await listWaiting(engine, null)).toEqual([])
    expect(await receiptsOf(id)).toHaveLength(1)
  })

  test('waits on when a narrower plan did not look at it', async () => {
    const id = await holdClerk()
    await engine.apply({ scope: { slug: '_platform' as never } })
    await engine.apply({ scope: { targets: ['_platform/TrustPolicy/config' as never] } })
    expect(await stateOf(id)).toBe('held')
  })

  test('ends expired when nobody decides, is not asked again by itself, and is with --retry', async () => {
    const id = await holdClerk()
    await approve(ana, id)
    engine.time.now += 72 * hour
    await expect(approve(ben, id)).rejects.toThrow(/waited until/)
    expect(await isApplied(clerk)).toBe(false)
    await engine.apply()
    expect(await stateOf(id)).toBe('expired')
    expect(fates(await engine.apply())).toEqual({ [clerk]: 'settled' })
    const retried = await engine.apply({ retry: [clerk as never] })
    expect(fates(retried)).toEqual({ [clerk]: 'held' })
    expect(await approve(ben, retried.outcomes[0]!.actionId!)).toBe('held')
  })

  test('ends with one veto, whoever approved, and is not asked again by itself', async () => {
    const id = await holdClerk()
    await approve(ana, id)
    const [vetoed] = await answerPlans(ben, id, 'veto', 'not now')
    expect(vetoed!.outcome).toBe('vetoed')
    await expect(approve(cleo, id)).rejects.toMatchObject({ code: 'STATE_CONFLICT' })
    expect(fates(await engine.apply())).toEqual({ [clerk]: 'settled' })
    const [receipt, ...more] = await receiptsOf(id)
    expect(more).toEqual([])
    expect(receipt!.body).toMatchObject({ outcome: 'vetoed', cause: 'vetoed by _platform/User/ben: not now' })
    expect(await isApplied(clerk)).toBe(false)
  })

  test('may be vetoed by its own proposer, and not by who could never approve', async () => {
    engine.write({ [roles]: role('clerk') })
    const planned = await plan(ana, { directory: engine.directory, ref: null })
    const id = (await applyPlanned(ana, planned, { confirmDeletes: null })).outcomes[0]!.actionId!
    await expect(answerPlans(await engine.as(null), id, 'veto', null)).rejects.toMatchObject(refused)
    expect((await answerPlans(ana, id, 'veto', null))[0]!.outcome).toBe('vetoed')
  })

  test('does not count an approver who lost the role meanwhile', async () => {
    const id = await holdClerk()
    await approve(ana, id)
    engine.write({
      'tenants/_platform/people.yaml': people.replace(
        'ana@example.com], roles: [admin]',
        'ana@example.com], roles: []',
      ),
    })
    expect(fates(await engine.apply())['_platform/User/ana']).toBe('applied')
    expect(await approve(ben, id)).toBe('held')
    expect(await approve(cleo, id)).toBe('applied')
  })

  test('is judged by the rules found when it is approved: a BLOCK ends it', async () => {
    const id = await holdClerk()
    await approve(ana, id)
    const forbidding = '{id: no-roles, match: {capability: config.role.create}, decision: BLOCK}'
    engine.write({ 'tenants/_platform/policy.yaml': policy('config', ...heldWidening, forbidding) })
    expect(fates(await engine.apply())['_platform/TrustPolicy/config']).toBe('applied')
    expect(await approve(ben, id)).toBe('blocked')
    expect(await stateOf(id)).toBe('blocked')
    expect(await isApplied(clerk)).toBe(false)
  })

  test('is judged by the rules found when it is approved: a greater quorum waits on, with the same expiry', async () => {
    const id = await holdClerk()
    const [before] = await listWaiting(engine, null)
    await approve(ana, id)
    engine.time.now += hour
    const stricter = heldWidening.map((rule) => rule.replace('quorum: 2', 'quorum: 3'))
    engine.write({ 'tenants/_platform/policy.yaml': policy('config', ...stricter) })
    expect(fates(await engine.apply())['_platform/TrustPolicy/config']).toBe('applied')
    expect(await approve(ben, id)).toBe('held')
    const [after] = await listWaiting(engine, null)
    expect(after!.expires_at).toBe(before!.expires_at)
    expect(await approve(cleo, id)).toBe('applied')
  })

  test('is not carried out while its object is suspended', async () => {
    engine.write({ [roles]: role('clerk') })
    const id = (await engine.apply()).outcomes[0]!.actionId!
    await approve(ana, id)
    await approve(ben, id)
    engine.write({ [roles]: role('clerk', 'read, write') })
    const wider = (await engine.apply()).outcomes[0]!.actionId!
    await suspend(engine, clerk as never, 'incident', hour)
    await approve(ana, wider)
    expect(await approve(ben, wider)).toBe('suspended')
    expect(await stateOf(wider)).toBe('held')
    engine.time.now += hour
    await engine.apply()
    expect(await stateOf(wider)).toBe('applied')
  })

  test('that two people complete at once is applied once, with one receipt', async () => {
    const id = await holdClerk()
    const outcomes = await Promise.allSettled([approve(ana, id), approve(ben, id), approve(cleo, id)])
    const late = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []))
    // Whoever comes when it is done is told so; the two that it takes never are.
    expect(late.length).toBeLessThanOrEqual(1)
    expect(late.filter((code) => code !== 'STATE_CONFLICT')).toEqual([])
    expect(await stateOf(id)).toBe('applied')
    expect(await receiptsOf(id)).toHaveLength(1)
  })

  test('that is vetoed while it is approved ends one way, with one receipt', async () => {
    for (const attempt of [1, 2, 3, 4]) {
      engine.write({ [roles]: role(`clerk${attempt}`) })
      const id = (await engine.apply()).outcomes.find(({ address }) => address.endsWith(`clerk${attempt}`))!.actionId!
      await approve(ana, id)
      await Promise.allSettled([approve(ben, id), answerPlans(cleo, id, 'veto', null)])
      expect(await receiptsOf(id)).toHaveLength(1)
      const state = await stateOf(id)
      expect(['applied', 'vetoed']).toContain(state)
      expect(await isApplied(`acme/Role/clerk${attempt}`)).toBe(state === 'applied')
      engine.write({ [roles]: null })
      await engine.apply()
    }
  })

  test('leaves an entry in the ledger for every answer', async () => {
    const id = await holdClerk()
    await approve(ana, id)
    await answerPlans(ben, id, 'veto', 'no')
    const answers = (await listReceipts(engine, 'acme', null)).filter(({ kind }) => kind.startsWith('control.plan.'))
    expect(answers.map(({ kind, body }) => [kind, body.person]).sort()).toEqual([
      ['control.plan.approve', '_platform/User/ana'],
      ['control.plan.veto', '_platform/User/ben'],
    ])
  })
})

test('a second pass over a change with half of its approvals writes nothing', async () => {
  await start()
  engine.write({ [roles]: docs(role('clerk'), user('eve', 'clerk')) })
  const id = (await engine.apply()).outcomes[0]!.actionId!
  await approve(ana, id)
  const before = await engine.census()
  await engine.apply()
  await engine.pass()
  expect(await engine.census()).toEqual(before)
})

test('what depends on a change and is suspended stays, and nothing turns in circles over it', async () => {
  await start({ 'tenants/acme/eve.yaml': user('eve', '') })
  engine.write({ [roles]: role('clerk'), 'tenants/acme/eve.yaml': user('eve', 'clerk') })
  const applied = await engine.apply()
  expect(fates(applied)).toEqual({ [clerk]: 'held', 'acme/User/eve': 'planned' })
  await suspend(engine, 'acme/User/eve' as never, 'incident', hour)
  const id = applied.outcomes[0]!.actionId!
  await approve(ana, id)
  expect(await approve(ben, id)).toBe('applied')
  expect((await listWaiting(engine, null)).map(({ state }) => state)).toEqual(['planned'])
  engine.time.now += hour
  await engine.pass()
  expect((await listWaiting(engine, null)).map(({ state }) => state)).toEqual(['held'])
})

test('answers that were noted and not acted on are found by the next pass of the loop', async () => {
  await start()
  const id = await holdClerk()
  await approve(ana, id)
  // As a process leaves it that was killed right after it noted the answer.
  await engine.sql(
    `insert into fibric.approval (tenant_id, action_id, person, decision, change_digest, roles, created_at)
     select tenant_id, action_id, '_platform/User/ben', decision, change_digest, roles, created_at from fibric.approval`,
  )
  await engine.pass()
  expect(await stateOf(id)).toBe('applied')
})

describe('who wrote a change', () => {
  test('does not approve it: an author is known by their email', async () => {
    await start({}, { git: true })
    engine.write({ [roles]: role('clerk') })
    engine.git!.commit({ author: { name: 'Ana', email: 'ana@example.com' } })
    const id = (await engine.apply()).outcomes[0]!.actionId!
    await expect(approve(ana, id)).rejects.toMatchObject(refused)
    expect(await approve(ben, id)).toBe('held')
    expect(await approve(cleo, id)).toBe('applied')
  })

  test('counts every author since the change was last applied, not the last one alone', async () => {
    await start({}, { git: true })
    engine.write({ [roles]: role('clerk') })
    engine.git!.commit({ author: { name: 'Ana', email: 'ana@example.com' } })
    engine.write({ [roles]: `# by ben\n${role('clerk', 'read, write')}` })
    engine.git!.commit({ author: { name: 'Ben', email: 'ben@example.com' } })
    const id = (await engine.apply()).outcomes[0]!.actionId!
    await expect(approve(ana, id)).rejects.toMatchObject(refused)
    await expect(approve(ben, id)).rejects.toMatchObject(refused)
  })

  test.runIf(hasProgram('ssh-keygen'))('is known by their signature, whatever email they claim', async () => {
    engine = await testEngine({}, { git: true })
    const key = sshKey(engine.config.dataDirectory, 'ana')
    const signing = people.replace(
      'ana@example.com], roles: [admin]',
      `ana@example.com], roles: [admin], signingKeys: ["${key.publicKey}"]`,
    )
    engine.write({ ...governed, 'tenants/_platform/people.yaml': signing })
    engine.git!.commit()
    await engine.apply()
    engine.write({ [roles]: role('clerk') })
    engine.git!.commit({ author: { name: 'Ben', email: 'nobody@example.com' }, signedWith: key.file })
    const { outcomes } = await engine.apply()
    expect(outcomes[0]!.change.authors).toEqual([
      expect.objectContaining({ signer: '_platform/User/ana', person: '_platform/User/ana' }),
    ])
    const id = outcomes[0]!.actionId!
    await expect(approve(await engine.as('_platform/User/ana'), id)).rejects.toMatchObject(refused)
    expect(await approve(await engine.as('_platform/User/ben'), id)).toBe('held')
  })

  test('counts who wrote a file that the change refers to', async () => {
    await start({}, { git: true })
    engine.write({
      [roles]: doc('Asset', 'count', '{type: shell, shell: {entry: {file: run.sh}}}'),
      'tenants/acme/run.sh': 'true\n',
    })
    engine.git!.commit({ author: { name: 'Dora', email: 'dora@example.com' } })
    await engine.apply()
    engine.write({ 'tenants/acme/run.sh': 'false\n' })
    engine.git!.commit({ author: { name: 'Ana', email: 'ana@example.com' } })
    const { plan: planned } = await engine.plan()
    expect(planned.changes[0]!.authors.map(({ person }) => person)).toContain('_platform/User/ana')
  })
})

describe('what depends on a held change', () => {
  const eve = user('eve', 'clerk')
  beforeEach(() => start())

  async function holdBoth(): Promise<{ id: string }> {
    engine.write({ [roles]: docs(role('clerk'), eve) })
    const applied = await engine.apply()
    expect(fates(applied)).toEqual({ [clerk]: 'held', 'acme/User/eve': 'planned' })
    return { id: applied.outcomes[0]!.actionId! }
  }

  test('waits, and goes to the gate once it is approved', async () => {
    const { id } = await holdBoth()
    await approve(ana, id)
    await approve(ben, id)
    const waiting = await listWaiting(engine, null)
    expect(waiting.map(({ entity_key, state }) => [entity_key, state])).toEqual([['acme/User/eve', 'held']])
    await approve(ana, waiting[0]!.action_id)
    expect(await approve(ben, waiting[0]!.action_id)).toBe('applied')
    expect((await engine.plan()).plan.changes).toEqual([])
  })

  test('is skipped after a veto, with a receipt that names it', async () => {
    const { id } = await holdBoth()
    await answerPlans(ana, id, 'veto', null)
    expect(await listWaiting(engine, null)).toEqual([])
    const [skipped] = (await listReceipts(engine, 'acme', null)).filter(({ body }) => body.outcome === 'skipped')
    expect(skipped!.body).toMatchObject({ entity_key: 'acme/User/eve', cause: '`acme/Role/clerk` ended vetoed' })
  })

  test('goes on too when a later plan added it', async () => {
    const id = await holdClerk()
    engine.write({ [roles]: docs(role('clerk'), eve) })
    expect(fates(await engine.apply())).toEqual({ [clerk]: 'waiting', 'acme/User/eve': 'planned' })
    await approve(ana, id)
    expect(await approve(ben, id)).toBe('applied')
    const waiting = await listWaiting(engine, null)
    expect(waiting.map(({ entity_key, state }) => [entity_key, state])).toEqual([['acme/User/eve', 'held']])
  })

  test('never runs before what it waits for, though another plan proposed that', async () => {
    const neutral = policy(
      'config',
      ...heldWidening,
      '{id: users, match: {capability: "config.user.*"}, decision: ALLOW}',
    )
    expect(neutral).toContain('users')
    const id = await holdClerk()
    engine.write({ [roles]: docs(role('clerk'), eve) })
    await engine.apply()
    await engine.apply()
    expect(await stateOf(id)).toBe('held')
    expect(await isApplied('acme/User/eve')).toBe(false)
    const [, planned] = await listWaiting(engine, null)
    expect(planned).toMatchObject({ entity_key: 'acme/User/eve', state: 'planned' })
  })

  test('waits on when what it waits for is edited, and follows the edited one', async () => {
    await holdBoth()
    engine.write({ [roles]: docs(role('clerk', 'read, write'), eve) })
    const edited = await engine.apply()
    const id = edited.outcomes.find(({ address }) => address === clerk)!.actionId!
    expect(await isApplied('acme/User/eve')).toBe(false)
    await approve(ana, id)
    await approve(ben, id)
    await engine.apply()
    const waiting = await listWaiting(engine, null)
    expect(waiting.map(({ entity_key, state }) => [entity_key, state])).toEqual([['acme/User/eve', 'held']])
  })
})

test('approving a plan approves those of its changes that this person may approve', async () => {
  await start()
  engine.write({ [roles]: docs(role('clerk'), role('teller')) })
  const { outcomes, plan: wanted } = await engine.apply()
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['held', 'held'])
  expect((await answerPlans(ana, wanted.id, 'approve', null)).map(({ outcome }) => outcome)).toEqual(['held', 'held'])
  expect((await answerPlans(ben, wanted.id, 'approve', null)).map(({ outcome }) => outcome)).toEqual([
    'applied',
    'applied',
  ])
  const [shown] = await showPlans(engine, wanted.id)
  expect(shown!.actions.map(({ state, approvals }) => [state, approvals.length])).toEqual([
    ['applied', 2],
    ['applied', 2],
  ])
})
