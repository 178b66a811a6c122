import { parseAddress } from '../domain/address.ts'
import { platformTenantId } from '../domain/ids.ts'
import type { Verdict } from '../domain/verdict.ts'
import type { Engine } from '../engine.ts'
import { readStanding } from '../ingest/standing.ts'
import { type ApprovalRow, readApprovals } from '../store/approvals.ts'
import type { DomainRow } from '../store/domains.ts'
import { readWaits, type WaitRow } from '../store/waits.ts'
import { tenantIdsOf, visibleDomains } from './domains.ts'
import { listOperators } from './operators.ts'
import { listWaiting, type ShownAction } from './plans.ts'
import { listState } from './state.ts'

/**
 * What keeps an address, an entity, a plan or an action from moving on, in words, and what would end the wait. Empty: nothing
 * does.
 */
export async function whyWaiting(engine: Engine, id: string): Promise<string[]> {
  const reasons = [...(await operatorReasons(engine, id)), ...(await effectReasons(engine, id))]
  for (const action of await listWaiting(engine, null)) {
    if (action.change !== null && [action.entity_key, action.action_id, action.plan_id].includes(id))
      reasons.push(...changeReasons(action))
  }
  const state = (await listState(engine, { tenant: null })).find((object) => object.address === id)
  for (const condition of state?.conditions ?? []) {
    if (condition.type === 'Suspended') reasons.push(`suspended: ${condition.message}: fibric resume ${id}`)
    if (condition.type === 'Drifted' && condition.status === 'True')
      reasons.push(`drifted: ${condition.message}: fibric drift --heal`)
  }
  return reasons
}

/** An operator that does not run, and the run that keeps its stream: what it wants to read is away, or it failed. */
async function operatorReasons(engine: Engine, id: string): Promise<string[]> {
  const parts = parseAddress(id)
  if (parts?.kind !== 'Operator') return []
  const shown = (await listOperators(engine, null)).find(({ operator }) => operator.address === id)
  if (!shown) return []
  const { status, stuck } = shown
  const resume = status.startsWith('paused by ') ? `: fibric operators resume ${parts.name} --tenant ${parts.slug}` : ''
  return [
    ...(status === 'active' ? [] : [`is ${status}; its events wait${resume}`]),
    ...stuck.map((run) => `its run ${run.run_id} is tried again, and the events behind it wait: ${run.cause}`),
  ]
}

function changeReasons(action: ShownAction): string[] {
  if (action.state === 'held') return holdReasons(action, action.approvals)
  return [`${action.capability} ${action.cause ?? `is ${action.state}`} (${action.action_id})`]
}

async function effectReasons(engine: Engine, id: string): Promise<string[]> {
  const domains = await visibleDomains(engine, null)
  const tenants = tenantIdsOf(domains)
  const [rows, approvals] = await engine.database.asWorker(
    tenants,
    async (tx) => {
      const waits = await readWaits(tx, tenants, id)
      const held = waits.filter(({ state }) => state === 'held').map(({ action_id }) => action_id)
      return [waits, await readApprovals(tx, tenants, held)] as const
    },
    { access: 'read only' },
  )
  const owners = domains.filter(({ tenant_id }) => rows.some((row) => row.tenant_id === tenant_id))
  return [...(await suspensions(engine, owners)), ...rows.flatMap((row) => reasonsOf(row, approvals))]
}

/** Nothing of a suspended tenant runs, whatever else its actions wait for. */
async function suspensions(engine: Engine, domains: readonly DomainRow[]): Promise<string[]> {
  const context = { access: 'read only' } as const
  const said = domains.map(async ({ tenant_id: id, slug }) => {
    const { suspended } = await engine.database.asWorker(
      [platformTenantId],
      (tx) => readStanding(tx, id, slug),
      context,
    )
    return suspended
      ? [`the tenant \`${slug}\` is suspended: nothing of it runs until its Tenant says \`state: active\``]
      : []
  })
  return (await Promise.all(said)).flat()
}

function reasonsOf(row: WaitRow, approvals: readonly ApprovalRow[]): string[] {
  if (row.state !== 'held') return [`${row.capability} (${row.action_id}) ${waitOf(row)}`]
  const given = approvals.filter(({ action_id }) => action_id === row.action_id)
  return holdReasons(row, given)
}

/** The first thing that keeps it, in the order in which the executor would find it. */
function waitOf(row: WaitRow): string {
  const { action_id: id, cause, due_at: due } = row
  switch (row.state) {
    case 'intent':
    case 'reconciling':
      return `is under way since ${row.state_at}; take it away with: fibric actions kill ${id} --reason …`
    case 'manual':
      return `is in doubt, and a person decides: ${cause}${lateWord(row)}: fibric actions resolve ${id} --happened --reason … (or --not-happened)`
    case 'unknown':
      return `is in doubt: ${cause}${stopWord(row) ?? `; it is looked into ${due ? `at ${due}` : 'next'}`}`
    default:
      return startWord(row)
  }
}

function startWord(row: WaitRow): string {
  const { before, holder, breaker_until: until, due_at: due } = row
  if (before.length > 0) {
    const names = before.map((each) => `${each.capability} (${each.action_id}), which is ${each.state}`)
    return `waits for ${names.join(', and for ')}: fibric why-waiting ${before[0]!.action_id}`
  }
  const stopped = stopWord(row)
  if (stopped !== null) return `is${stopped.slice(1)}`
  if (until !== null)
    return `waits until ${until}: its connection was not done several times in a row (${row.breaker_reason})`
  if (holder !== null) {
    return `waits for its entity \`${row.entity_key}\`, which ${holder} keeps, being ${row.holder_state}: fibric why-waiting ${holder}`
  }
  if (row.state === 'waiting') return `was not done (${row.cause}) and is tried again at ${due}`
  return due === null ? 'comes after those that wait for the same entity' : `is queued since ${row.created_at}`
}

function stopWord({ stopped_by: person, stop_reason: reason }: WaitRow): string | null {
  return person === null
    ? null
    : `; stopped by ${person} (${reason}) until: fibric start, with the flags of: fibric stop --list`
}

function lateWord({ late_kind: kind }: WaitRow): string {
  return kind === null ? '' : `; its answer came late and said ${kind}`
}

function holdReasons(
  action: Pick<ShownAction, 'action_id' | 'capability' | 'verdict' | 'expires_at'>,
  approvals: readonly ApprovalRow[],
): string[] {
  const verdict = action.verdict as unknown as Verdict
  const given = approvals.map((approval) => approval.person)
  return verdict.holds
    .filter((each) => each.mode === 'hold')
    .map((hold) => {
      const role = hold.approvers.role ?? 'any role that approves'
      return (
        `${action.capability} waits for ${hold.approvers.quorum} approvals of role \`${role}\` by rule ${hold.policy}#${hold.rule}` +
        `${given.length > 0 ? `, given by ${given.join(', ')}` : ''}, until ${action.expires_at}: ` +
        `fibric plans approve ${action.action_id}`
      )
    })
}
