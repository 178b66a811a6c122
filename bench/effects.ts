/**
 * Governed effects: from an event, or from a proposal, to its receipt. fsync is on; executor, loop and database client run in
 * this process, the provider in another; real HTTP through the egress broker, a connection a call. Beside it, in the same run,
 * floors: jobs of two bare commits and one HTTP call over kept connections, as many in flight, one by one or sharing commits.
 * At half load events come at their time, whether the ones before are done or not.
 *
 *   node bench/effects.ts [effects] [tenants]
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { settleConfig } from '../controller/config.ts'
import { mintId, type PlanId } from '../controller/domain/ids.ts'
import { type Engine, openEngine } from '../controller/engine.ts'
import { Executor } from '../controller/executor/effects/executor.ts'
import { draftEffects, type PlanDraft } from '../controller/executor/effects/propose.ts'
import { type DraftedPlan, recordPlans } from '../controller/executor/effects/record.ts'
import { startLoop } from '../controller/loop/start.ts'
import { applyPlanned } from '../controller/operations/apply.ts'
import { connectorsOf } from '../controller/operations/connections.ts'
import { openEventBus } from '../controller/operations/ingest.ts'
import { plan } from '../controller/operations/plan.ts'
import { type DomainRow, readDomains } from '../controller/store/domains.ts'
import { startEmbedded } from '../controller/store/embedded/server.ts'
import { connectOnce, withConnection } from '../controller/store/pool.ts'
import { machine, report } from './measure.ts'

const effects = Number(process.argv[2] ?? 5000)
const tenants = Number(process.argv[3] ?? 1)
const inFlight = 64
const halfLoadMs = 5000
let made = 0

const folder = mkdtempSync(join(tmpdir(), 'fibric-bench-'))
const provider = await startProvider()
try {
  writeRepository(folder, provider.port)
  const server = await startEmbedded({ dataDirectory: join(folder, '.fibric') })
  const engine = await openEngine(settleConfig(folder, {}, {}), { migrate: 'apply' })
  await applyPlanned(engine, await plan(engine, { directory: folder, ref: null }), { confirmDeletes: null })
  const domains = (await engine.database.asWorker([], readDomains)).filter(({ slug }) => slug.startsWith('t'))
  const superuser = { ...server.superuser, database: server.owner.database }
  const sql = await connectOnce(superuser, 'bench')

  const floor = await floorOf(provider.port)
  const floorShared = await sharedFloorOf(provider.port)
  const executed = await executeProposals(engine, domains)
  const looped = await loopEvents(engine, domains)
  report({
    machine: machine(),
    load: { effects, tenants, inFlight, fsync: true },
    floor,
    floorShared,
    proposalToReceipt: { ...executed, ofFloor: ratio(executed.perSecond, floor.perSecond) },
    eventToReceipt: { ...looped, ofFloor: ratio(looped.perSecond, floor.perSecond) },
  })
  await sql.close()
  await engine.close('leave')
  await server.stop()

  async function floorOf(port: number) {
    const { Agent, request } = await import('undici')
    const agent = new Agent({ connections: inFlight })
    await sql.simple('create table public.floor_job (id bigint primary key, state text, body jsonb)')
    await sql.simple(`insert into public.floor_job select g, 'ready', '{}' from generate_series(1, ${effects}) g`)
    let next = 1
    const worker = async (): Promise<void> => {
      await withConnection(superuser, 'floor', async (connection) => {
        for (let id = next++; id <= effects; id = next++) {
          await connection.prepared(`update public.floor_job set state = 'intent' where id = $1`, [id])
          const answer = await request(`http://127.0.0.1:${port}/api/things/${id}`, {
            method: 'POST',
            body: '{}',
            dispatcher: agent,
          })
          await answer.body.text()
          await connection.prepared(`update public.floor_job set state = 'applied', body = $2 where id = $1`, [
            id,
            '{"ok":true}',
          ])
        }
      })
    }
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: inFlight }, worker))
    const tookMs = performance.now() - startedAt
    await agent.close()
    return { perSecond: perSecond(effects, tookMs) }
  }

  /** The same jobs in lanes of sixteen, each lane's commits shared. */
  async function sharedFloorOf(port: number) {
    const { Agent, request } = await import('undici')
    const agent = new Agent({ connections: inFlight })
    const laneSize = 16
    await sql.simple(`update public.floor_job set state = 'ready', body = '{}'`)
    let next = 1
    const lane = async (): Promise<void> => {
      await withConnection(superuser, 'floor', async (connection) => {
        for (let first = next; first <= effects; first = next) {
          next += laneSize
          const ids = Array.from({ length: Math.min(laneSize, effects - first + 1) }, (_, index) => first + index)
          await connection.prepared(`update public.floor_job set state = 'intent' where id = any($1)`, [ids])
          const calls = ids.map(async (id) => {
            const url = `http://127.0.0.1:${port}/api/things/${id}`
            const answer = await request(url, { method: 'POST', body: '{}', dispatcher: agent })
            await answer.body.text()
          })
          await Promise.all(calls)
          const done = `update public.floor_job set state = 'applied', body = '{"ok":true}' where id = any($1)`
          await connection.prepared(done, [ids])
        }
      })
    }
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: inFlight / laneSize }, lane))
    const tookMs = performance.now() - startedAt
    await agent.close()
    return { perSecond: perSecond(effects, tookMs) }
  }

  async function walBytes(): Promise<number> {
    const { rows } = await sql.prepared<{ bytes: string }>(`select (pg_current_wal_lsn() - '0/0')::text as bytes`, [])
    return Number(rows[0]!.bytes)
  }

  async function commits(): Promise<number> {
    await sql.simple('select pg_stat_clear_snapshot()')
    const { rows } = await sql.prepared<{ n: number }>(
      'select xact_commit as n from pg_stat_database where datname = current_database()',
      [],
    )
    return rows[0]!.n
  }

  async function applied(): Promise<number> {
    const { rows } = await sql.prepared<{ n: number }>(
      `select count(*) as n from fibric.action where effect is not null and state = 'applied'`,
      [],
    )
    return rows[0]!.n
  }

  /** Counting reads the whole table: it is done only once nothing is queued, read, or under way any more. */
  async function untilApplied(count: number): Promise<void> {
    for (;;) {
      const { rows } = await sql.prepared<{ busy: boolean }>(
        `select exists (select from fibric.effect_queue) or exists (select from fibric.lease)
             or exists (select from fibric.event_consumer c join fibric.event_lane l using (tenant_id) where c.position < l.next - 1) as busy`,
        [],
      )
      if (!rows[0]!.busy && (await applied()) >= count) return
      await sleep(25) // each look is a question to the server that is measured
    }
  }

  async function executeProposals(engine: Engine, domains: readonly DomainRow[]) {
    await propose(engine, domains, effects)
    const executor = new Executor({
      database: engine.database,
      connector: connectorsOf(engine),
      clock: engine.clock,
      settings: { maxInFlight: inFlight },
      onFailure: complain,
    })
    const startedAt = performance.now()
    await executor.drain()
    const tookMs = performance.now() - startedAt
    const done = await applied()
    if (done !== effects) throw new Error(`${done} of ${effects} were applied`)
    return { perSecond: perSecond(effects, tookMs) }
  }

  async function loopEvents(engine: Engine, domains: readonly DomainRow[]) {
    const stopping = new AbortController()
    const bus = openEventBus(engine)
    const loop = startLoop(engine, {
      connector: connectorsOf(engine),
      bus,
      signal: stopping.signal,
      onFailure: complain,
    })
    await loop.refresh()
    await sleep(1000)
    const before = await applied()
    const idle = await latencies(bus, domains, 40)
    const [wal, committed] = [await walBytes(), await commits()]
    const startedAt = performance.now()
    for (let first = 0; first < effects; first += 100) {
      const { tenant_id } = domains[(first / 100) % domains.length]!
      await bus.publish(tenant_id, events(100))
    }
    const publishedMs = performance.now() - startedAt
    await untilApplied(before + 40 + effects)
    const tookMs = performance.now() - startedAt
    const rate = perSecond(effects, tookMs)
    await sleep(1200)
    const walBytesEach = Math.round(((await walBytes()) - wal) / effects)
    const commitsEach = Math.round((((await commits()) - committed) / effects) * 100) / 100
    const half = await atRate(bus, domains, rate / 2)
    stopping.abort()
    await loop.ended
    await bus.close()
    return {
      ...{ perSecond: rate, publishedMs: Math.round(publishedMs), walBytesEach, commitsEach },
      ...{ idleMs: idle, halfLoadMs: half },
    }
  }

  /** Open loop for some seconds: from an event's arrival to the settling of its effect, as the database has them. */
  async function atRate(bus: ReturnType<typeof openEventBus>, domains: readonly DomainRow[], rate: number) {
    const [{ at: since }] = (await sql.prepared<{ at: string }>('select clock_timestamp() as at', [])).rows as [
      { at: string },
    ]
    const before = await applied()
    const startedAt = performance.now()
    const publishing: Promise<unknown>[] = []
    let sent = 0
    for (let now = 0; now < halfLoadMs; now = performance.now() - startedAt) {
      const due = Math.floor((now / 1000) * rate) - sent
      if (due > 0) publishing.push(bus.publish(domains[sent % domains.length]!.tenant_id, events(due)))
      sent += Math.max(0, due)
      await sleep(5)
    }
    await Promise.all(publishing)
    await untilApplied(before + sent)
    const { rows } = await sql.prepared<{ ms: number }>(
      `select (extract(epoch from a.state_at - e.received_at) * 1000)::double precision as ms
         from fibric.event e
         join fibric.execution_plan p on p.tenant_id = e.tenant_id and p.event_id = e.event_id
         join fibric.action a on a.tenant_id = p.tenant_id and a.plan_id = p.plan_id
        where e.received_at >= $1`,
      [since],
    )
    return { offered: Math.round(rate), events: sent, ...percentiles(rows.map(({ ms }) => ms)) }
  }

  async function latencies(bus: ReturnType<typeof openEventBus>, domains: readonly DomainRow[], count: number) {
    const took: number[] = []
    for (let index = 0; index < count; index++) {
      const [event] = events(1)
      const startedAt = performance.now()
      const [id] = await bus.publish(domains[0]!.tenant_id, [event!])
      for (;;) {
        const { rows } = await sql.prepared<{ at: string }>(
          `select a.state_at as at
             from fibric.run r
             join fibric.action a on a.tenant_id = r.tenant_id and a.plan_id = r.plan_id
            where r.tenant_id = $1 and r.event_id = $2 and a.state = 'applied'`,
          [domains[0]!.tenant_id, id],
        )
        if (rows.length > 0) break
        await sleep(1) // whoever asks without a pause measures the asking
      }
      took.push(performance.now() - startedAt)
      await sleep(30)
    }
    return percentiles(took)
  }
} finally {
  provider.stop()
  rmSync(folder, { recursive: true, force: true })
}

async function propose(engine: Engine, domains: readonly DomainRow[], count: number): Promise<void> {
  const connector = connectorsOf(engine)
  for (let first = 0; first < count; first += 200) {
    const plans: DraftedPlan[] = []
    for (let index = first; index < Math.min(count, first + 200); index++) {
      const domain = domains[index % domains.length]!
      const draft = draftOf(domain, `p${index}`, engine.clock())
      plans.push({ draft, effects: await draftEffects(connector, draft, engine.clock()) })
    }
    const tenantIds = [...new Set(plans.map(({ draft }) => draft.domain.tenant_id))]
    await engine.database.asWorker(tenantIds, (tx) => recordPlans(tx, plans, engine.clock()))
  }
}

function draftOf(domain: DomainRow, key: string, now: Date): PlanDraft {
  return {
    domain,
    planId: mintId('plan', now.getTime(), randomBytes(10)) as PlanId,
    runId: null,
    proposer: { kind: 'operator', name: 'bench' },
    operator: { name: 'bench', id: 'ob_bench' },
    correlationId: `co_${key}`,
    eventId: null,
    eventKey: key,
    event: null,
    tenant: { id: domain.tenant_id, slug: domain.slug, reseller: null, environment: null },
    source: {},
    model: null,
    compensates: null,
    capabilities: null,
    proposals: [{ capability: 'thing.make', args: { id: key, note: 'a note of some length, as notes have' } }],
  }
}

function events(count: number) {
  return Array.from({ length: count }, () => ({
    source: 'bench',
    eventType: 'thing.seen',
    payload: { id: `e${++made}`, total: 12.5 },
    origin: 'api' as const,
  }))
}

function writeRepository(root: string, port: number): void {
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const head = (kind: string, name: string): string =>
    `apiVersion: fibric.io/v1\nkind: ${kind}\nmetadata: {name: ${name}}\n`
  write('fibric.yaml', `${head('Deployment', 'bench')}spec: {egress: {allowPrivate: ["127.0.0.1/32"]}}\n`)
  write(
    'tenants/_platform/policy.yaml',
    `${head('TrustPolicy', 'all')}spec: {rules: [{id: all, match: {capability: "**"}, decision: ALLOW}]}\n`,
  )
  write(
    'tenants/_platform/connector.yaml',
    `${head('Connector', 'lab')}spec:
  version: 1.0.0
  auth: {kind: none}
  runtime: http
  http: {baseUrl: "http://127.0.0.1:\${config.port}/api"}
  config: {type: object, properties: {port: {type: string}}, required: [port]}
  tools:
    thing.make:
      effect: keyed
      entityKey: "thing:\${args.id}"
      input: {type: object, properties: {id: {type: string}, note: {type: string}}, required: [id]}
      http: {method: POST, path: "/things/\${args.id}", body: {note: "\${args.note}"}, idempotencyHeader: Idempotency-Key, timeout: 10s}
`,
  )
  for (let index = 0; index < tenants; index++) {
    const slug = `t${index}`
    write(`tenants/${slug}/tenant.yaml`, `${head('Tenant', slug)}spec: {displayName: ${slug}}\n`)
    write(
      `tenants/${slug}/connection.yaml`,
      `${head('Connection', 'main')}spec: {connector: lab@1.0.0, as: [lab], config: {port: "${port}"}}\n`,
    )
    write(
      `tenants/${slug}/operator.yaml`,
      `${head('Operator', 'bench')}spec:
  trigger: {on: [thing.seen]}
  capabilities: [thing.make]
  reason:
    rules:
      - when: "event.payload.total > 10.0"
        propose: [{capability: thing.make, args: {id: "\${event.payload.id}", note: "seen"}}]
`,
    )
  }
}

async function startProvider(): Promise<{ port: number; stop: () => void }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'provider.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const port = await new Promise<number>((resolve) =>
    child.stdout.once('data', (data: Buffer) => resolve(Number(data.toString()))),
  )
  return { port, stop: () => child.stdin.end() }
}

function percentiles(milliseconds: readonly number[]) {
  const sorted = milliseconds.toSorted((a, b) => a - b)
  const at = (part: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]! * 10) / 10
  return { p50: at(0.5), p99: at(0.99) }
}

function perSecond(count: number, tookMs: number): number {
  return Math.round(count / (tookMs / 1000))
}

function ratio(part: number, whole: number): number {
  return Math.round((part / whole) * 100) / 100
}

function complain(error: unknown, doing: string): void {
  process.stderr.write(`${doing}: ${(error as Error).stack}\n`)
}
