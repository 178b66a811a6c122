import { compileExpression, ExpressionError, type ExpressionNames, evaluate } from '../domain/expression.ts'
import type { JsonObject } from '../domain/json.ts'
import { objectOf } from './request.ts'

/** What an answer says about the effect. */
export interface Judgement {
  readonly kind: 'applied' | 'failed' | 'not-done' | 'unknown'
  readonly reason: string
}

export interface JudgedAnswer {
  readonly status: number
  /** Null where the body could be read. */
  readonly unparsable: string | null
  /** The request repeats an earlier one whose end is not known. */
  readonly resend: boolean
  /** What a tool's `outcome` may name. */
  readonly names: ExpressionNames
}

/**
 * The table of governed-execution.md, section 5: what one whole answer means for the effect. A tool's `outcome` may say
 * better; what it does not cover stays as the status has it.
 */
export function judge(tool: JsonObject, answer: JudgedAnswer): Judgement {
  const byStatus = judgeStatus(tool, answer)
  const outcome = objectOf(tool.outcome)
  if (Object.keys(outcome).length === 0 || answer.unparsable !== null) return byStatus
  const { status, resend, names } = answer
  return judgeOutcome(
    outcome,
    { said: `HTTP ${status}`, mayBeOurOwn: resend && mayBeOurOwn.has(status), names },
    byStatus,
  )
}

/** What an MCP tool's answer means: one that says it is an error says nothing about the effect. */
export function judgeMcp(tool: JsonObject, isError: boolean, resend: boolean, names: ExpressionNames): Judgement {
  const byTable: Judgement = isError
    ? { kind: 'unknown', reason: 'the tool answered isError' }
    : { kind: 'applied', reason: 'the tool answered' }
  const outcome = objectOf(tool.outcome)
  if (Object.keys(outcome).length === 0) return byTable
  return judgeOutcome(outcome, { said: byTable.reason, mayBeOurOwn: resend && isError, names }, byTable)
}

function judgeStatus(tool: JsonObject, { status, unparsable, resend }: JudgedAnswer): Judgement {
  const said = `HTTP ${status}`
  if (resend && mayBeOurOwn.has(status)) {
    const repeatedDelete = tool.effect === 'idempotent' && objectOf(tool.http).method === 'DELETE'
    if (repeatedDelete && (status === 404 || status === 410)) {
      return { kind: 'applied', reason: `${said}: what was to be deleted is gone` }
    }
    return { kind: 'unknown', reason: `${said} on a re-send may be due to our own first attempt` }
  }
  if (status >= 200 && status < 300) {
    if (unparsable !== null) return { kind: 'unknown', reason: `${said}, and the body cannot be read: ${unparsable}` }
    if (status === 202 && tool.effect === 'queryable')
      return { kind: 'unknown', reason: `${said}: accepted, to be asked` }
    return { kind: 'applied', reason: said }
  }
  if (status === 425 || status === 429) return { kind: 'not-done', reason: said }
  if (status === 409 && tool.effect === 'keyed') return { kind: 'unknown', reason: `${said} of a keyed tool` }
  if (status === 408 || status >= 500) return { kind: 'unknown', reason: said }
  if (status === 301 || status === 307 || status === 308)
    return { kind: 'failed', reason: `${said}: an effect follows no redirect` }
  if (status < 400) return { kind: 'unknown', reason: said }
  return { kind: 'failed', reason: said }
}

/** On a re-send these may be what our own first attempt left behind. */
const mayBeOurOwn: ReadonlySet<number> = new Set([404, 409, 410, 412])

interface Said {
  readonly said: string
  /** On a re-send: the answer may be what our own first attempt left behind. */
  readonly mayBeOurOwn: boolean
  readonly names: ExpressionNames
}

function judgeOutcome(outcome: JsonObject, { said, mayBeOurOwn: own, names }: Said, byTable: Judgement): Judgement {
  const found = (['applied', 'failed', 'notDone'] as const).map((name) => ({
    name,
    value: holds(outcome[name], names),
  }))
  const yes = found.filter(({ value }) => value === true).map(({ name }) => name)
  if (yes.length > 1) return { kind: 'unknown', reason: `${said}, and \`outcome\` says ${yes.join(' and ')}` }
  const [only] = yes
  if (only === 'applied') return { kind: 'applied', reason: `${said}, and \`outcome.applied\` holds` }
  // What refuses a repetition may be what the first attempt did, however the provider words it.
  if (only !== undefined && own) return byTable
  if (only === 'failed') return { kind: 'failed', reason: `${said}, and \`outcome.failed\` holds` }
  if (only === 'notDone') return { kind: 'not-done', reason: `${said}, and \`outcome.notDone\` holds` }
  const denied = found.find(({ name }) => name === 'applied')?.value
  if (byTable.kind === 'applied' && denied !== undefined) {
    return { kind: 'unknown', reason: `${said}, and \`outcome.applied\` does not hold` }
  }
  return byTable
}

/** Undefined where the tool says nothing; an expression that fails, or is not boolean, does not hold. */
function holds(source: unknown, names: ExpressionNames): boolean | undefined {
  if (typeof source !== 'string') return undefined
  try {
    return evaluate(compileExpression(source), names) === true
  } catch (error) {
    if (error instanceof ExpressionError) return false
    throw error
  }
}
