import { setTimeout as sleep } from 'node:timers/promises'

/** Follows one tenant over the API, and prints what comes in, what waits and what was done, one line each. */
export async function narrate(url: string, token: string, signal: AbortSignal): Promise<void> {
  const told = new Set<string>()
  const read = async <Row>(path: string): Promise<Row[]> => {
    const answer = await fetch(`${url}/v1/${path}`, { headers: { authorization: `Bearer ${token}` }, signal })
    if (!answer.ok) throw new Error(`GET /v1/${path}: ${answer.status} ${await answer.text()}`)
    return ((await answer.json()) as { data: Row[] }).data
  }
  /** Rows that were not told before, oldest first. */
  const news = <Row>(rows: readonly Row[], idOf: (row: Row) => string): Row[] => {
    const fresh = rows.filter((row) => !told.has(idOf(row)))
    for (const row of fresh) told.add(idOf(row))
    return fresh.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
  }
  const look = async () => ({
    events: news(await read<Event>('events?limit=50'), (event) => event.event_id),
    entries: news(await read<Entry>('receipts?limit=50'), (entry) => entry.id),
    held: news(
      (await read<Action>('plans/waiting?limit=50')).filter(
        ({ state, capability }) => state === 'held' && !isConfiguration(capability),
      ),
      (action) => action.action_id,
    ),
  })

  // What is older than the show was told when it happened.
  await look()
  while (!signal.aborted) {
    try {
      const { events, entries, held } = await look()
      const lines = [...events.map(eventLine), ...entries.flatMap(entryLine), ...held.map(heldLine)]
      const [first] = held
      if (first && !told.has('what to type')) {
        told.add('what to type')
        lines.push(whatToType(first.action_id))
      }
      if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`)
    } catch (error) {
      // A server that is busy answers the next time.
      if (!signal.aborted) process.stderr.write(`${(error as Error).message}\n`)
    }
    await sleep(700, undefined, { signal }).catch(() => {}) // woken by the abort
  }
}

interface Event {
  readonly event_id: string
  readonly event_type: string
  readonly payload: object
}

interface Entry {
  readonly id: string
  readonly kind: string
  readonly body: { readonly [field: string]: unknown }
}

interface Action {
  readonly action_id: string
  readonly capability: string
  readonly entity_key: string
  readonly state: string
  readonly verdict: { readonly reasons?: readonly string[] } | null
}

function eventLine({ event_id: id, event_type: type, payload }: Event): string {
  return `event    ${id} ${type} ${JSON.stringify(payload)}`
}

function entryLine({ id, kind, body }: Entry): string[] {
  if (kind === 'control.plan.approve') return [`approved by ${String(body.person)}`]
  const { outcome, capability, entity_key: entity, proposer } = body
  if (kind !== 'receipt' || isConfiguration(String(capability))) return []
  const by = (proposer as { name?: string } | undefined)?.name ?? '-'
  return [`receipt  ${id} ${String(outcome)}: ${String(capability)} ${String(entity)}, proposed by ${by}`]
}

function heldLine({ action_id: id, capability, entity_key: entity, verdict }: Action): string {
  return `waiting  ${id} ${capability} ${entity}: ${verdict?.reasons?.join('; ') ?? 'a rule asks'}`
}

/** `up` itself says what becomes of the repository. */
function isConfiguration(capability: string): boolean {
  return capability.startsWith('config.')
}

function whatToType(action: string): string {
  return `
That refund waits for two people of finance. In another terminal, be both of them:

  bin/fibric keys create --user acme/User/omar --role operate       # prints a key that speaks for Omar
  bin/fibric keys create --user acme/User/sofia --role operate
  FIBRIC_TOKEN=… bin/fibric plans approve ${action}
  FIBRIC_TOKEN=… bin/fibric plans approve ${action}

  bin/fibric trace ${action}      # the whole story
  bin/fibric receipts list --tenant acme
`
}
