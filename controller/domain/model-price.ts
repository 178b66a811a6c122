import {
  addDecimals,
  compareDecimals,
  type Decimal,
  decimalOfNumber,
  formatDecimal,
  parseDecimal,
  zero,
} from './decimal.ts'
import { isJsonObject, type JsonObject } from './json.ts'
import type { ModelBudget } from './model-choice.ts'

export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
}

/** What so many tokens of a model cost: decimal text. Null for a model without a price. */
export function costOf(
  model: JsonObject,
  { inputTokens, outputTokens }: Usage,
): { amount: string; currency: string } | null {
  const { price } = model
  if (!isJsonObject(price)) return null
  const amount = addDecimals(
    priced(Number(price.inputPerMTok), inputTokens),
    priced(Number(price.outputPerMTok), outputTokens),
  )
  return { amount: formatDecimal(amount), currency: String(price.currency) }
}

/**
 * The most tokens a question may come to. A token is at least one byte of UTF-8, so bytes bound the input whatever the
 * model's alphabet; the overhead is what providers wrap messages in.
 */
export function mostTokens(texts: readonly string[], maxTokens: number): Usage {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + overheadTokens, overheadTokens)
  return { inputTokens: bytes, outputTokens: maxTokens }
}

const overheadTokens = 64

/** Why a cost does not fit a budget beside what was spent in its window, or null. An amount that cannot be compared fails. */
export function overBudget(budget: ModelBudget, cost: ReturnType<typeof costOf>, spent: Decimal): string | null {
  const { of, max, currency } = budget
  if (cost === null) return `the model has no price, and \`${of}\` has a budget`
  if (currency === null)
    return `the budget of \`${of}\` names no currency, and the model's price is in ${cost.currency}`
  if (cost.currency !== currency)
    return `the budget of \`${of}\` is in ${currency}, and the model's price in ${cost.currency}`
  const limit = decimalOfNumber(max) ?? zero
  const wanted = addDecimals(spent, decimalOfText(cost.amount))
  if (compareDecimals(wanted, limit) <= 0) return null
  return `the budget of \`${of}\` is ${max} ${currency}, ${formatDecimal(spent)} of it are spent or reserved, and the question may cost ${cost.amount}`
}

/** A price of a million tokens, for so many of them. Exact: amounts are never floats. */
function priced(perMillion: number, tokens: number): Decimal {
  const price = decimalOfNumber(perMillion) ?? zero
  return { units: price.units * BigInt(Math.max(0, Math.trunc(tokens))), scale: price.scale + 6 }
}

function decimalOfText(text: string): Decimal {
  return parseDecimal(text) ?? zero
}
