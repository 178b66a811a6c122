/** An exact decimal number: `units` × 10^-`scale`. Amounts are never floats. */
export interface Decimal {
  readonly units: bigint
  readonly scale: number
  /**
   * The nearest double, where the number was read from at most 15 digits: those keep their order as doubles, so most
   * comparisons need no big integers.
   */
  readonly double?: number
}

/** Digits a decimal may have before and after the point; PostgreSQL's `numeric` takes far more. */
const digitsMax = 100

export const zero: Decimal = { units: 0n, scale: 0 }

/** Reads `12`, `-0.50` or `1e21`. Null when `text` is no decimal number, or an absurdly long one. */
export function parseDecimal(text: string): Decimal | null {
  const match = /^(-?)(\d{1,100})(?:\.(\d{1,100}))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text)
  if (match === null) return null
  const [, sign, whole, fraction = '', exponent = '0'] = match
  const units = BigInt(`${sign}${whole}${fraction}`)
  const scale = fraction.length - Number(exponent)
  if (Math.abs(scale) > digitsMax) return null
  const exact = scale < 0 ? { units: units * tenTo(-scale), scale: 0 } : { units, scale }
  return whole!.length + fraction.length > 15 ? exact : { ...exact, double: Number(text) }
}

/**
 * The sum of decimal texts; what is no decimal number adds nothing. Sums of a window are read for every verdict, so
 * short amounts are added as whole numbers of their smallest unit and only long ones one by one.
 */
export function sumOfTexts(texts: readonly string[]): Decimal {
  let sum = zero
  const short = [0, 0, 0, 0, 0]
  for (const text of texts) {
    const point = text.indexOf('.')
    const scale = point < 0 ? 0 : text.length - point - 1
    const units =
      text.length > 11 || scale > 4
        ? Number.NaN
        : Number(point < 0 ? text : text.slice(0, point) + text.slice(point + 1))
    // Eleven digits, added for as many minutes as a year has, stay exact in a double.
    if (Number.isInteger(units)) short[scale]! += units
    else sum = addDecimals(sum, parseDecimal(text) ?? zero)
  }
  for (const [scale, units] of short.entries()) {
    if (units !== 0) sum = addDecimals(sum, { units: BigInt(units), scale })
  }
  return sum
}

/** The decimal a JSON number was written as (its shortest form). */
export function decimalOfNumber(number: number): Decimal | null {
  return parseDecimal(String(number))
}

/** Negative, zero or positive, as `left` is less than, equal to or more than `right`. */
export function compareDecimals(left: Decimal, right: Decimal): number {
  if (left.double !== undefined && right.double !== undefined) return left.double - right.double
  const [a, b] = aligned(left, right)
  return a < b ? -1 : a > b ? 1 : 0
}

export function addDecimals(left: Decimal, right: Decimal): Decimal {
  const [a, b, scale] = aligned(left, right)
  return { units: a + b, scale }
}

export function formatDecimal({ units, scale }: Decimal): string {
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '')
  return `${units < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

function aligned(left: Decimal, right: Decimal): [bigint, bigint, number] {
  if (left.scale === right.scale) return [left.units, right.units, left.scale]
  const scale = Math.max(left.scale, right.scale)
  return [left.units * tenTo(scale - left.scale), right.units * tenTo(scale - right.scale), scale]
}

const powers = Array.from({ length: 32 }, (_, power) => 10n ** BigInt(power))

function tenTo(power: number): bigint {
  return powers[power] ?? 10n ** BigInt(power)
}
