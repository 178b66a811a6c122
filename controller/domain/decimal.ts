/** An exact decimal number: `units` × 10^-`scale`. Amounts are never floats. */
export interface Decimal {
  readonly units: bigint
  readonly scale: number
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
  return scale < 0 ? { units: units * 10n ** BigInt(-scale), scale: 0 } : { units, scale }
}

/** The decimal a JSON number was written as (its shortest form). */
export function decimalOfNumber(number: number): Decimal | null {
  return parseDecimal(String(number))
}

/** Negative, zero or positive, as `left` is less than, equal to or more than `right`. */
export function compareDecimals(left: Decimal, right: Decimal): number {
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
  return [left.units * 10n ** BigInt(scale - left.scale), right.units * 10n ** BigInt(scale - right.scale), scale]
}
