import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { ConnectorRuntime } from '../connectors/runtime.ts'
import { digestJson } from '../domain/digest.ts'
import type { JsonObject } from '../domain/json.ts'
import type { AttemptResult, Bound, PlannedEffect } from '../executor/effects/connector.ts'
import { classOf } from '../executor/effects/propose.ts'
import { askProvider, etagOf, settleMsOf } from '../executor/effects/provider-state.ts'

/** One thing that was tried, and what came of it. */
export interface DrillCheck {
  readonly name: string
  readonly passed: boolean
  readonly detail: string
}

export interface DrillParts {
  readonly runtime: ConnectorRuntime
  /** The tool with the class it declares. */
  readonly bound: Bound
  readonly planned: PlannedEffect
  readonly args: JsonObject
  /** What is read back: the state that the effect changes. */
  readonly reader: { readonly bound: Bound; readonly args: JsonObject }
  /** Names this drill's tokens and keys. */
  readonly id: string
}

/** Ends a drill: what is needed to go on could not be had. */
class Halted extends Error {}

/** Tries what the class of a tool promises. The first check that fails ends it: those after it rest on it. */
export async function runChecks(parts: DrillParts): Promise<DrillCheck[]> {
  const bench = new Bench(parts)
  const checks: DrillCheck[] = []
  for (const [name, check] of checksOf(bench)) {
    const detail = await check().catch((error: unknown) => {
      if (error instanceof Halted) return error
      throw error
    })
    const passed = typeof detail === 'string'
    checks.push({ name, passed, detail: passed ? detail : detail.message })
    if (!passed) break
  }
  return checks
}

type NamedCheck = readonly [name: string, check: () => Promise<string>]

function checksOf(bench: Bench): NamedCheck[] {
  switch (classOf(bench.parts.bound.tool)) {
    case 'keyed':
    case 'idempotent':
      return [
        ['sent twice under one key', () => sentTwice(bench)],
        ['sent, the answer dropped, sent again', () => dropped(bench)],
        ['killed between intent and outcome, sent again', () => killed(bench)],
      ]
    case 'conditional':
      return [
        ['sent twice under one version', () => sentTwice(bench)],
        ['sent, the answer dropped, sent again', () => dropped(bench)],
      ]
    case 'queryable':
      return [['asked before and after', () => asked(bench)]]
    case 'blind':
    case 'read':
      return []
  }
}

async function sentTwice(bench: Bench): Promise<string> {
  const before = await bench.look()
  const first = await bench.once('twice')
  const result = await first.send()
  if (result.kind !== 'applied') throw new Halted(`the first send was ${said(result)}`)
  const after = await bench.look()
  if (before === after) throw new Halted('what is read back does not show the effect: read something that it changes')
  const second = await first.send()
  await same(bench, after, 'the second send')
  return `the second send was ${said(second)}, and changed nothing`
}

async function dropped(bench: Bench): Promise<string> {
  const first = await bench.once('dropped')
  await first.send()
  const after = await bench.look()
  const again = await first.send()
  await same(bench, after, 'the send after it')
  return `the send after it was ${said(again)}, and changed nothing`
}

/** Whether the request was taken before it broke off is not known, and does not matter: after two more it happened once. */
async function killed(bench: Bench): Promise<string> {
  const first = await bench.once('killed')
  await first.kill()
  const again = await first.send()
  if (again.kind !== 'applied' && again.kind !== 'unknown') throw new Halted(`the send after it was ${said(again)}`)
  const after = await bench.look()
  await first.send()
  await sleep(quietMs)
  await same(bench, after, 'what came after it')
  return `the send after it was ${said(again)}, and it happened once`
}

async function asked(bench: Bench): Promise<string> {
  const { runtime, bound, args } = bench.parts
  const before = await askProvider(runtime, bound, args)
  if ('unanswered' in before) throw new Halted(`the provider could not be asked: ${before.unanswered}`)
  if (before.applied) throw new Halted('the provider says it happened before it was sent: take other arguments')
  const result = await (await bench.once('asked')).send()
  const deadlineMs = performance.now() + Math.min(settleMsOf(bound.tool), settleMsMax) + 1000
  for (;;) {
    const after = await askProvider(runtime, bound, args)
    if ('applied' in after && after.applied) return `it was ${said(result)}, and the provider says that it happened`
    if (performance.now() > deadlineMs) {
      const why = 'unanswered' in after ? after.unanswered : 'the provider says that it did not happen'
      throw new Halted(`it was ${said(result)}, and ${why}`)
    }
    await sleep(quietMs)
  }
}

async function same(bench: Bench, expected: string, what: string): Promise<void> {
  if ((await bench.look()) !== expected) throw new Halted(`${what} had a second effect`)
}

const quietMs = 250
const settleMsMax = 60_000
const attemptMs = 30_000

/** Sends and reads as the executor's attempts do, each with a token of its own. */
class Bench {
  readonly parts: DrillParts
  #attempts = 0

  constructor(parts: DrillParts) {
    this.parts = parts
  }

  /** What is read back, as a digest. */
  async look(): Promise<string> {
    const { runtime, reader } = this.parts
    const read = await runtime.read(reader.bound, reader.args, AbortSignal.timeout(attemptMs))
    if (read.kind === 'failed') throw new Halted(`it cannot be read back: ${read.reason}`)
    return digestJson(read.body)
  }

  /** One key, and one version where the class is bound to one: to be sent as often as a recovery would. */
  async once(name: string): Promise<{ send(): Promise<AttemptResult>; kill(): Promise<void> }> {
    const { runtime, bound, args, id } = this.parts
    const etag = classOf(bound.tool) === 'conditional' ? await etagOf(runtime, bound, args) : null
    if (typeof etag === 'object' && etag !== null) throw new Halted(`its version cannot be read: ${etag.unread}`)
    let sends = 0
    const attempt = (signal: AbortSignal) => {
      const token = this.#token()
      const options = { idempotencyKey: `${id}:${name}`, token, deadlineMs: token.deadlineMs, ifMatch: etag, signal }
      return { token, result: runtime.attempt(bound, args, { ...options, resend: sends++ > 0 }) }
    }
    return {
      send: () => attempt(new AbortController().signal).result,
      kill: async () => {
        const abort = new AbortController()
        const { token, result } = attempt(abort.signal)
        let ended = false
        void result.finally(() => {
          ended = true
        })
        while (!ended && !runtime.broker.tokens.isSpent(token)) await nextTurn()
        abort.abort()
        await result
      },
    }
  }

  #token() {
    const { planned, id } = this.parts
    return { ...planned.request, actionId: id, attempt: ++this.#attempts, deadlineMs: performance.now() + attemptMs }
  }
}

function said({ kind, reason }: AttemptResult): string {
  return `${kind} (${reason})`
}
