import { randomBytes } from 'node:crypto'
import { missingFields } from '../connectors/auth/credentials.ts'
import type { Installed } from '../connectors/catalog.ts'
import { objectOf } from '../connectors/request.ts'
import { digestJson } from '../domain/digest.ts'
import { ExpressionError } from '../domain/expression.ts'
import { type Address, mintId, type PlanId, platformTenantId, type TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { renderJson } from '../domain/render-json.ts'
import type { TenantFacts } from '../domain/rules.ts'
import type { Engine } from '../engine.ts'
import type { Pinned } from '../executor/effects/connector.ts'
import { draftEffects, type PlanDraft } from '../executor/effects/propose.ts'
import { recordPlans } from '../executor/effects/record.ts'
import { RulesCache } from '../executor/effects/rules-cache.ts'
import { askMark } from '../store/config-marks.ts'
import {
  endRegistration,
  forgetRegistration,
  type RegistrationRow,
  readRegistrations,
  writeRegistration,
} from '../store/connection-records.ts'
import { type DomainRow, readDomains } from '../store/domains.ts'
import { readKindMarks } from '../store/egress.ts'
import type { Transaction } from '../store/tenancy.ts'
import { readCredential } from '../tenancy/secrets.ts'
import { connectorsOf } from './connections.ts'
import { type IngestAddresses, ingestAddresses } from './ingest-addresses.ts'

/** A webhook that a connection's connector subscribes to, with everything that makes the subscription what it is. */
interface Wish {
  readonly installed: Installed
  readonly eventType: string
  readonly call: { readonly tool: string; readonly args: JsonObject }
  readonly digest: string
}

const kinds = ['Connection', 'Connector', 'Tenant', 'Deployment']

/**
 * Proposes what subscriptions lack: the registering of webhooks of connections that are ready, again when their ingest URL or
 * their connector's version has moved, and the undoing of it once they have gone. Every one is an action like any other:
 * nothing is sent that no rule lets through.
 *
 * The same wish is asked once. What the rules refused is asked again when they have moved.
 */
export class Registrar {
  readonly #engine: Engine
  readonly #origin: string | null
  /** Domains in which nothing was left to do, by what they looked like then. */
  readonly #settled = new Map<TenantId, string>()
  /** What was applied everywhere when nothing was left to do anywhere. */
  #rested: string | null = null

  /** `origin`: where this deployment is reached from outside, as far as it knows. */
  constructor(engine: Engine, origin: string | null) {
    this.#engine = engine
    this.#origin = origin
  }

  /**
   * One look at every domain that may have something to do; whether any may, as of `maxAgeMs` ago. Answers how many actions
   * it proposed.
   */
  async look(maxAgeMs = 0): Promise<number> {
    const { database } = this.#engine
    const mark = await askMark(database, maxAgeMs)
    if (mark === this.#rested) return 0
    const domains = await database.asWorker([], readDomains, { access: 'read only' })
    const tenants = domains.map((domain) => domain.tenant_id)
    const marks = await database.asWorker(tenants, (tx) => readKindMarks(tx, tenants, kinds), { access: 'read only' })
    const platform = domains.find((domain) => domain.tenant_id === platformTenantId)
    const rulesOf = (domain: DomainRow): string => `${platform?.rules_epoch ?? 0}:${domain.rules_epoch}`
    const markOf = (domain: DomainRow): string =>
      [rulesOf(domain), marks.get(platformTenantId), marks.get(domain.tenant_id)].join(' ')
    const moved = domains.filter((domain) => this.#settled.get(domain.tenant_id) !== markOf(domain))
    if (moved.length === 0) {
      this.#rested = mark
      return 0
    }
    const places = moved.map((domain) => domain.tenant_id)
    const rows = await database.asWorker(places, (tx) => readRegistrations(tx, places), { access: 'read only' })
    const addresses = await ingestAddresses(database, this.#origin)
    let proposed = 0
    for (const domain of moved) {
      const known = rows.filter((row) => row.tenant_id === domain.tenant_id)
      const { made, left } = await lookAt(this.#engine, domain, rulesOf(domain), known, addresses)
      proposed += made
      if (made + left === 0) this.#settled.set(domain.tenant_id, markOf(domain))
    }
    return proposed
  }
}

/** `left`: what cannot be done yet, and depends on what no mark tells of. */
async function lookAt(
  engine: Engine,
  domain: DomainRow,
  rules: string,
  known: readonly RegistrationRow[],
  addresses: IngestAddresses,
): Promise<{ readonly made: number; readonly left: number }> {
  const { connections } = await connectorsOf(engine).catalog.of(domain.tenant_id)
  let made = 0
  let left = 0
  for (const wish of connections.flatMap((installed) => wishesOf(installed, domain, addresses))) {
    const row = known.find((each) => isOf(each, wish.installed.address, wish.eventType))
    if (!isDue(row, wish, rules)) continue
    if (!(await isReady(engine, domain.tenant_id, wish.installed))) left++
    else if (await register(engine, domain, rules, wish)) made++
  }
  for (const row of known.filter(({ ended_by }) => ended_by === null)) {
    const connection = connections.find(({ address }) => address === row.address)
    // One whose content is gone says nothing of what it subscribes to.
    const isUnread = connection !== undefined && (connection.spec === null || !connection.connector?.spec)
    const declares = objectOf(objectOf(connection?.connector?.spec?.events)[row.event_type]).register !== undefined
    if (isUnread || declares) continue
    if (await unregister(engine, domain, row, addresses)) made++
    else left++
  }
  return { made, left }
}

function wishesOf(installed: Installed, { slug }: DomainRow, addresses: IngestAddresses): Wish[] {
  const { spec, connector, name } = installed
  if (spec === null || !connector?.spec) return []
  const config = objectOf(spec.config)
  return Object.entries(objectOf(connector.spec.events)).flatMap(([eventType, described]) => {
    const { kind, register: asked } = objectOf(described)
    const url = addresses.of(slug, name, eventType, installed)
    if (kind !== 'webhook' || asked === undefined || url === null) return []
    const { tool, args } = objectOf(asked)
    const rendered = renderedArgs(objectOf(args), config, url)
    if (rendered === null) return []
    const call = { tool: String(tool), args: rendered }
    const transport = spec.transport ?? 'live'
    const digest = digestJson({ url, connector: connector.digest, call, config, transport })
    return [{ installed, eventType, call, digest }]
  })
}

/** Null where an expression fails: `connections list` says so. */
function renderedArgs(args: JsonObject, config: JsonObject, url: string): JsonObject | null {
  try {
    return objectOf(renderJson(args, { config, ingest: { url }, request: null }))
  } catch (error) {
    if (error instanceof ExpressionError) return null
    throw error
  }
}

const refusedStates: ReadonlySet<string | null> = new Set([
  ...['blocked', 'vetoed', 'expired', 'failed', 'rejected', 'skipped', 'superseded', 'cancelled'],
])

function isDue(row: RegistrationRow | undefined, wish: Wish, rules: string): boolean {
  if (row === undefined || row.ended_by !== null || row.wish !== wish.digest) return true
  return refusedStates.has(row.state) && row.rules !== rules
}

function isOf(row: RegistrationRow, address: Address, eventType: string): boolean {
  return row.address === address && row.event_type === eventType
}

async function isReady(engine: Engine, tenantId: TenantId, { spec, connector }: Installed): Promise<boolean> {
  const auth = String(objectOf(connector?.spec?.auth).kind ?? 'none')
  if (auth === 'none') return true
  if (typeof spec?.credential !== 'string') return false
  return missingFields(auth, await readCredential(engine.database, tenantId, spec.credential)).length === 0
}

async function register(engine: Engine, domain: DomainRow, rules: string, wish: Wish): Promise<boolean> {
  const { installed, eventType, call, digest } = wish
  const { address, name, connector } = installed
  const draft = await draftOf(engine, domain, call, name, `register:${eventType}:${digest}:${rules}`, {
    registers: eventType,
  })
  const row = {
    tenant_id: domain.tenant_id,
    address,
    event_type: eventType,
    wish: digest,
    rules,
    connector: connector!.address,
    connection_digest: installed.digest,
    connector_digest: connector!.digest,
  }
  return record(engine, draft, (tx, action_id, now) => writeRegistration(tx, { ...row, action_id }, now))
}

async function unregister(
  engine: Engine,
  domain: DomainRow,
  row: RegistrationRow,
  addresses: IngestAddresses,
): Promise<boolean> {
  const { tenant_id: tenantId, address, event_type: eventType } = row
  const { catalog } = connectorsOf(engine)
  const connector = await catalog.spec(tenantId, row.connector_digest)
  const connection = await catalog.spec(tenantId, row.connection_digest)
  const { unregister: asked } = objectOf(objectOf(connector?.events)[eventType])
  // Nothing was subscribed, or nothing says how it is ended.
  if (connection === null || asked === undefined || refusedStates.has(row.state)) {
    await engine.database.asWorker([tenantId], (tx) => forgetRegistration(tx, row))
    return false
  }
  // What is under way may yet subscribe: it is undone once it has ended.
  if (row.state !== 'applied' && row.state !== 'deduplicated') return false
  const { tool, args } = objectOf(asked)
  const name = address.slice(address.lastIndexOf('/') + 1)
  const url = addresses.of(domain.slug, name, eventType, null) ?? ''
  const rendered = renderedArgs(objectOf(args), objectOf(connection.config), url) ?? {}
  const pinned: Pinned = {
    connectorDigest: row.connector_digest,
    connectionDigest: row.connection_digest,
    gone: { connection: address, connector: row.connector },
  }
  const call = { tool: String(tool), args: rendered }
  const key = `unregister:${eventType}:${row.action_id}`
  const draft = await draftOf(engine, domain, call, name, key, { unregisters: true, event_type: eventType })
  return record(engine, { ...draft, pinned }, (tx, action) => endRegistration(tx, row, action))
}

async function draftOf(
  engine: Engine,
  domain: DomainRow,
  { tool, args }: Wish['call'],
  connection: string,
  eventKey: string,
  source: JsonObject,
): Promise<PlanDraft> {
  const { pools } = await new RulesCache(engine.database, engine.clock).of([domain.tenant_id])
  const nowMs = engine.clock().getTime()
  return {
    domain,
    planId: mintId('plan', nowMs, randomBytes(10)) as PlanId,
    runId: null,
    proposer: { kind: 'builtin', name: 'builtin:registrar' },
    operator: null,
    correlationId: mintId('correlation', nowMs, randomBytes(10)),
    eventId: null,
    eventKey,
    event: null,
    tenant: pools.factsOf(domain.slug) as TenantFacts,
    source,
    model: null,
    compensates: null,
    capabilities: null,
    connection,
    proposals: [{ capability: tool, args }],
  }
}

/** The plan and the note of it are one transaction: what is noted was proposed, once. */
async function record(
  engine: Engine,
  draft: PlanDraft,
  note: (tx: Transaction, action: Parameters<typeof endRegistration>[2], now: string) => Promise<boolean>,
): Promise<boolean> {
  const now = engine.clock()
  const effects = await draftEffects(connectorsOf(engine), draft, now)
  return engine.database.asWorker([draft.domain.tenant_id], async (tx) => {
    if (!(await note(tx, effects[0]!.actionId, now.toISOString()))) return false
    await recordPlans(tx, [{ draft, effects }], now)
    return true
  })
}
