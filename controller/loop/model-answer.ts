import { compareDecimals, decimalOfNumber, parseDecimal } from '../domain/decimal.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import type { Proposal } from '../executor/effects/propose.ts'

export type ReadAnswer =
  | { readonly kind: 'plan'; readonly reasoning: string | null; readonly proposals: readonly Proposal[] }
  | { readonly kind: 'refused'; readonly problems: readonly string[] }

/** Why arguments do not fit a capability that was offered, or null. */
export type Misfit = (args: JsonObject) => string | null

/**
 * Reads what a model answered as a plan: the capabilities that were offered, arguments that satisfy their tools, and the
 * order. Everything else is an unknown field, whatever it is called: what an executor computes is nobody's to propose.
 */
export function readAnswer(text: string, offered: ReadonlyMap<string, Misfit>): ReadAnswer {
  const parsed = parse(text)
  if ('problem' in parsed) return refused([parsed.problem])
  const { value } = parsed
  if (!isJsonObject(value)) return refused(['the answer is no JSON object'])
  const problems = unknownFields(value, ['reasoning', 'actions'], 'the answer')
  const { reasoning = null, actions } = value
  if (reasoning !== null && typeof reasoning !== 'string') problems.push('`reasoning` is no text')
  if (!Array.isArray(actions)) return refused([...problems, '`actions` is no list'])
  if (actions.length > actionsMax)
    return refused([...problems, `\`actions\` has ${actions.length} items, over ${actionsMax}`])
  const proposals = actions.map((action: Json, index) => readAction(action, index, offered, problems))
  if (problems.length > 0) return refused(problems)
  return {
    kind: 'plan',
    reasoning: typeof reasoning === 'string' ? reasoning.slice(0, reasoningMax).toWellFormed() : null,
    proposals: proposals.filter((proposal) => proposal !== null),
  }
}

function readAction(
  action: Json,
  index: number,
  offered: ReadonlyMap<string, Misfit>,
  problems: string[],
): Proposal | null {
  const at = `\`actions[${index}]\``
  if (!isJsonObject(action)) {
    problems.push(`${at} is no JSON object`)
    return null
  }
  problems.push(...unknownFields(action, ['capability', 'args', 'after'], at))
  const { capability, args = {}, after } = action
  const misfit = typeof capability === 'string' ? offered.get(capability) : undefined
  if (typeof capability !== 'string' || misfit === undefined) {
    problems.push(`${at} names the capability ${quoted(capability)}, which is not among those you may propose`)
    return null
  }
  if (!isJsonObject(args)) {
    problems.push(`the \`args\` of ${at} are no JSON object`)
    return null
  }
  const problem = misfit(args)
  if (problem !== null) problems.push(`${at}: ${problem}`)
  if (after === undefined) return { capability, args }
  if (Array.isArray(after) && after.every((item) => isEarlier(item, index))) {
    return { capability, args, after: [...new Set(after as number[])] }
  }
  problems.push(`\`after\` of ${at} is no list of the positions of earlier actions`)
  return null
}

function isEarlier(item: Json, index: number): boolean {
  return typeof item === 'number' && Number.isInteger(item) && item >= 0 && item < index
}

function parse(text: string): { readonly value: Json } | { readonly problem: string } {
  if (Buffer.byteLength(text) > answerBytesMax) return { problem: `the answer has more than ${answerBytesMax} bytes` }
  const found: string[] = []
  let value: Json
  try {
    value = JSON.parse(unfenced(text), function (this: unknown, key, item: Json, context?: { source?: string }) {
      const problem = uncarried(key, item, context?.source)
      if (problem !== null) found.push(problem)
      return item
    } as (key: string, value: unknown) => unknown) as Json
  } catch {
    return { problem: 'the answer is not JSON' } // where it stops being JSON is of no use to anybody
  }
  if (depthOf(value) > depthMax) return { problem: `the answer is nested more than ${depthMax} deep` }
  return found.length > 0 ? { problem: found[0]! } : { value }
}

/** Many models put a fence around everything they write; one around the whole answer is taken off, and no other. */
function unfenced(text: string): string {
  const fence = /^\s*```(?:json)?[ \t]*\n([\s\S]*?)\n[ \t]*```\s*$/.exec(text)
  return fence && !fence[1]!.includes('```') ? fence[1]! : text
}

/** What no action could hold as it was written: a number that changes when it is read, and texts PostgreSQL refuses. */
function uncarried(key: string, item: Json, source: string | undefined): string | null {
  if (isUnwritable(key)) return 'a field name holds a character that no name may hold'
  if (typeof item === 'string' && isUnwritable(item)) return `\`${key}\` holds a character that no text may hold`
  if (typeof item !== 'number') return null
  const exact = Number.isFinite(item) ? decimalOfNumber(item) : null
  const written = source === undefined ? exact : parseDecimal(source)
  if (exact !== null && written !== null && compareDecimals(withoutDouble(exact), withoutDouble(written)) === 0)
    return null
  return `\`${key}\` is a number with more digits than a number carries: write it as text where the schema takes text`
}

/** Compares by all digits: two that differ past the fifteenth share their double. */
function withoutDouble({ units, scale }: { readonly units: bigint; readonly scale: number }) {
  return { units, scale }
}

function isUnwritable(text: string): boolean {
  return text.includes('\u0000') || !text.isWellFormed()
}

function depthOf(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0
  let deepest = 0
  for (const item of Object.values(value)) deepest = Math.max(deepest, depthOf(item))
  return deepest + 1
}

function unknownFields(object: JsonObject, known: readonly string[], where: string): string[] {
  return Object.keys(object)
    .filter((name) => !known.includes(name))
    .map((name) => `${where} has the unknown field ${quoted(name)}`)
}

/** As it may stand in a receipt: on one line, short, nothing in it that is not seen. */
export function quoted(value: Json | undefined): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  const plain = text.toWellFormed().replace(/[\p{C}\p{Zl}\p{Zp}`]/gu, '\ufffd')
  return `\`${plain.length > 60 ? `${plain.slice(0, 60).toWellFormed()}…` : plain}\``
}

function refused(problems: readonly string[]): ReadAnswer {
  return { kind: 'refused', problems: problems.slice(0, problemsMax) }
}

const answerBytesMax = 65_536
const actionsMax = 20
const reasoningMax = 2000
const depthMax = 32
const problemsMax = 10
