import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addDecimals,
  compareDecimals,
  decimalOfNumber,
  formatDecimal,
  parseDecimal,
  sumOfTexts,
  zero,
} from '../../controller/domain/decimal.ts'

describe('a decimal', () => {
  test.each([
    ['12', '12'],
    ['-0.50', '-0.5'],
    ['100.00', '100'],
    ['1e21', '1000000000000000000000'],
    ['1.5e-3', '0.0015'],
    ['0.30000000000000001', '0.30000000000000001'],
    ['-0', '0'],
  ])('%s reads as %s', (text, want) => {
    expect(formatDecimal(parseDecimal(text)!)).toBe(want)
  })

  test.each(['', '.5', '5.', '1,5', '0x10', 'NaN', 'Infinity', '1e999', '+1', ' 1', '9'.repeat(101)])(
    '`%s` is none',
    (text) => {
      expect(parseDecimal(text)).toBeNull()
    },
  )

  const texts = fc
    .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.integer({ min: 0, max: 6 }))
    .map(([units, scale]) => formatDecimal({ units, scale }))

  test('keeps the order of exact numbers, short or long', () => {
    fc.assert(
      fc.property(texts, texts, (left, right) => {
        const [a, b] = [parseDecimal(left)!, parseDecimal(right)!]
        const exact = compareDecimals({ units: a.units, scale: a.scale }, { units: b.units, scale: b.scale })
        expect(Math.sign(compareDecimals(a, b))).toBe(exact)
      }),
    )
  })

  test('sums a window as one would by hand', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(texts, fc.constantFrom('0.1', '10.50', '99999999.99'))), (amounts) => {
        const byHand = amounts.reduce((sum, amount) => addDecimals(sum, parseDecimal(amount)!), zero)
        expect(formatDecimal(sumOfTexts(amounts))).toBe(formatDecimal(byHand))
      }),
    )
  })

  test('is what a JSON number was written as', () => {
    expect(formatDecimal(decimalOfNumber(0.1)!)).toBe('0.1')
    expect(decimalOfNumber(Number.NaN)).toBeNull()
  })
})
