import { setTimeout as sleep } from 'node:timers/promises'
import { FibricError } from '../domain/errors.ts'
import { askedFrom, PollError, type PollItem, type PollState, takePage, withoutPass } from '../domain/poll.ts'
import type { Database } from '../store/connect.ts'
import { writeDeadLetter } from '../store/dead-letters.ts'
import {
  claimPoller,
  ensurePoller,
  failPoller,
  movePoller,
  type PollerCondition,
  type PollerMark,
  readPollerDue,
} from '../store/pollers.ts'
import type { Admission } from './admission.ts'
import { appendWithin } from './append.ts'
import { letterOf, printable } from './letters.ts'
import { eventOfItem } from './poll-item.ts'
import { readPage } from './poll-page.ts'
import type { Poll, PollAnswer, PollSource } from './poll-source.ts'
import { sequencerOf } from './sequencer.ts'

export interface PollerParts {
  readonly database: Database
  readonly source: PollSource
  readonly admission: Admission
  readonly clock: () => Date
  /** Told of what is nobody's condition; it is tried again. */
  readonly onFailure: (error: unknown, doing: string) => void
}

const lookMs = 500
/** How often it is looked for polls that are new. */
const readEveryMs = 3_000
const againMsMax = 300_000
/** Longer than one request may take: a holder that shows no sign of life for so long is gone. */
const leaseMs = 120_000
const backoffMsMax = 900_000
const atOnceMax = 32
/** A provider that hangs keeps its own tenant waiting. */
const atOnceOfTenantMax = 4

/** Runs the polls of every connection until the signal aborts, each in one process of the deployment at a time. */
export async function runPollers(parts: PollerParts, signal: AbortSignal): Promise<void> {
  /** When each poll is worth asking for again, by this process's clock: the row knows when it really is. */
  const next = new Map<string, number>()
  const running = new Map<string, { readonly tenantId: string; readonly ended: Promise<void> }>()
  const start = async (poll: Poll, name: string): Promise<void> => {
    const again = await pollOnce(parts, poll, signal).catch((error: unknown) => {
      parts.onFailure(error, `polling \`${poll.slug}/Connection/${poll.connection}\` for \`${poll.eventType}\``)
      return poll.everyMs
    })
    // Whatever the row says, and however soon a new version of the connector wants it.
    next.set(name, performance.now() + Math.min(again, againMsMax))
    running.delete(name)
  }
  let polls = new Map<string, Poll>()
  for (let readAt = Number.NEGATIVE_INFINITY; !signal.aborted; ) {
    try {
      if (performance.now() - readAt >= readEveryMs) {
        polls = new Map((await parts.source.polls()).map((poll) => [nameOf(poll), poll]))
        for (const name of next.keys()) if (!polls.has(name)) next.delete(name)
        readAt = performance.now()
      }
      for (const [name, poll] of polls) {
        if (running.has(name) || running.size >= atOnceMax || (next.get(name) ?? 0) > performance.now()) continue
        const { tenantId } = poll
        const others = [...running.values()].filter((each) => each.tenantId === tenantId).length
        if (others < atOnceOfTenantMax) running.set(name, { tenantId, ended: start(poll, name) })
      }
    } catch (error) {
      parts.onFailure(error, 'looking for polls')
    }
    await pause(lookMs, signal)
  }
  await Promise.all([...running.values()].map(({ ended }) => ended))
}

/** One turn of one poll, if it is due and nobody has it. Answers in how many milliseconds to come again. */
export async function pollOnce(parts: PollerParts, poll: Poll, signal: AbortSignal): Promise<number> {
  const { database } = parts
  const name = { tenantId: poll.tenantId, connectionId: poll.connectionId, eventType: poll.eventType }
  const taken = await database.asWorker([poll.tenantId], async (tx) => {
    await ensurePoller(tx, name, poll.connection)
    return (await claimPoller(tx, name, leaseMs)) ?? readPollerDue(tx, name)
  })
  if (typeof taken === 'number') return taken
  const turn = new Turn(parts, poll, { ...name, fence: taken.fence }, taken.state)
  try {
    await parts.admission.admit(poll.tenantId, poll.slug, 0)
    return await turn.run(signal)
  } catch (error) {
    const condition = conditionOf(error)
    if (condition === null) throw error
    const dueMs = Math.max(
      Math.min(poll.everyMs * 2 ** Math.min(taken.failures, 20), backoffMsMax),
      condition.retryAfterMs,
    )
    const state = condition.pageGone ? withoutPass(turn.state) : turn.state
    await database.asWorker([poll.tenantId], (tx) => failPoller(tx, turn.mark, state, condition, Math.ceil(dueMs)))
    return dueMs
  }
}

/** One holder's way through the pages. */
class Turn {
  readonly mark: PollerMark
  state: PollState
  readonly #parts: PollerParts
  readonly #poll: Poll

  constructor(parts: PollerParts, poll: Poll, mark: PollerMark, state: PollState) {
    this.#parts = parts
    this.#poll = poll
    this.mark = mark
    this.state = state
  }

  async run(signal: AbortSignal): Promise<number> {
    const { everyMs, pagesMax } = this.#poll
    for (let pages = 1; ; pages++) {
      const cursor = askedFrom(this.state.cursor, this.#poll)
      const at = { cursor, next: this.state.pass?.next ?? null }
      const answer = await this.#parts.source.ask(this.#poll, at, signal)
      if (answer.kind === 'failed') throw new Unanswered(answer, at.next !== null)
      const taken = takePage(this.state, readPage(this.#poll, answer, cursor), this.#poll)
      const through = taken.state.pass === null
      const last = through || pages >= pagesMax || signal.aborted
      // A pass that is not through goes on with the next turn.
      const dueMs = last ? (through ? everyMs : 0) : null
      if (!(await this.#keep(taken.fresh, taken.state, dueMs))) return everyMs
      if (last) return dueMs!
    }
  }

  /** Events, letters and the new state in one transaction: a crash leaves all of them or none. */
  async #keep(fresh: readonly PollItem[], state: PollState, dueMs: number | null): Promise<boolean> {
    const { database, admission, clock } = this.#parts
    const { tenantId, slug } = this.#poll
    if (fresh.length > 0) await admission.admit(tenantId, slug, fresh.length)
    const now = clock()
    const made = fresh.map((item) => eventOfItem(this.#poll, item))
    const events = made.flatMap((each) => ('reason' in each ? [] : [each]))
    const letters = made.flatMap((each) => ('reason' in each ? [each] : []))
    const kept = await database.asWorker([tenantId], async (tx) => {
      if (!(await movePoller(tx, this.mark, state, { leaseMs, dueMs }))) return false
      // An item whose key stands for something else already was seen: that is what its key says.
      await appendWithin(tx, tenantId, events, now)
      for (const letter of letters) await writeDeadLetter(tx, letterOf(tenantId, letter, now))
      return true
    })
    if (!kept) return false
    this.state = state
    if (events.length > 0) sequencerOf(database).ring([tenantId])
    return true
  }
}

class Unanswered extends Error {
  readonly answer: PollAnswer & { readonly kind: 'failed' }
  /** A page that was remembered and is refused: the pass begins again. */
  readonly pageGone: boolean

  constructor(answer: PollAnswer & { readonly kind: 'failed' }, paged: boolean) {
    super(answer.reason)
    this.answer = answer
    const { status, pageUnusable } = answer
    const refused = status !== null && status >= 400 && status < 500 && ![401, 408, 425, 429].includes(status)
    this.pageGone = pageUnusable || (paged && refused)
  }
}

interface Failure extends PollerCondition {
  readonly retryAfterMs: number
  readonly pageGone: boolean
}

/** What a failed poll says about its connection; null for what is not the connection's doing. */
function conditionOf(error: unknown): Failure | null {
  if (error instanceof Unanswered) {
    const { reason: message, status, retryAfterMs } = error.answer
    const reason = status === 429 ? 'RateLimited' : 'PollFailed'
    return { reason, message: printable(message), retryAfterMs: retryAfterMs ?? 0, pageGone: error.pageGone }
  }
  if (error instanceof PollError) {
    return { reason: error.reason, message: printable(error.message), retryAfterMs: 0, pageGone: false }
  }
  if (!(error instanceof FibricError) || !(error.code in ownReasons)) return null
  const retryAfterMs = Number(error.details.retry_after_s ?? 0) * 1000
  return { reason: ownReasons[error.code]!, message: printable(error.message), retryAfterMs, pageGone: false }
}

/** Why we do not ask although we could. */
const ownReasons: { readonly [code: string]: string } = {
  BACKLOG_FULL: 'BacklogFull',
  RATE_LIMITED: 'QuotaReached',
  TENANT_SUSPENDED: 'TenantSuspended',
  SERVICE_UNAVAILABLE: 'NotReady',
}

function nameOf({ tenantId, connectionId, eventType }: Poll): string {
  return `${tenantId} ${connectionId} ${eventType}`
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal })
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error
  }
}
