import { describe, expect, test } from 'vitest'
import {
  checkExpression,
  compileExpression,
  ExpressionError,
  type ExpressionScope,
  evaluate,
  isReservedName,
} from '../../controller/domain/expression.ts'
import { threadMs } from '../support/thread-time.ts'

const names = {
  action: { value: 10.5, args: { country: 'RU', n: 3, tags: ['a', 'b'] } },
  now: new Date('2026-11-20T10:30:00Z'),
  nothing: null,
}

function resultOf(source: string): unknown {
  return evaluate(compileExpression(source), names)
}

describe('evaluating an expression', () => {
  test.each<[string, unknown]>([
    ["action.args.country == 'RU'", true],
    ['action.value * 2', 21],
    ['action.value > 10 && action.args.n == 3', true],
    ['3 == action.args.n', true],
    ['action.args.n in [1, 2, 3]', true],
    ['3 in [3, 4]', true],
    ['action.args.n % 2 == 1', true],
    ['1 + 1.5', 2.5],
    ['size(action.args.tags) * action.args.n', 6],
    ["action.args.tags.exists(t, t == 'b')", true],
    ['action.args.tags.map(t, t + "!")', ['a!', 'b!']],
    ['has(action.args.missing)', false],
    ['action.args.missing || true', true],
    ["re(action.args.country, '^R.$')", true],
    ["now.getHours('Europe/Berlin')", 11],
    [
      "[now.getDayOfWeek('Asia/Tokyo'), now.getDayOfYear(), now.getDayOfYear('UTC'), now.getFullYear('UTC')]",
      [5, 323, 323, 2026],
    ],
    ["timestamp('2026-03-29T01:30:00Z').getHours('Europe/Berlin')", 3],
    ["timestamp('2026-03-08T07:30:00Z').getHours('UTC')", 7],
    ['now', '2026-11-20T10:30:00.000Z'],
    ["now > timestamp('2020-01-01T00:00:00Z')", true],
    ['{"n": [1, 2u]}', { n: [1, 2] }],
    ['nothing == null', true],
    ["duration('90s')", '90s'],
  ])('%s is %j', (source, want) => {
    expect(resultOf(source)).toEqual(want)
  })

  test.each([
    ['action.args.missing', /no such key: missing/, 12],
    ['unknown', /unknown variable: unknown/, 0],
    ['1 / 0', /division by zero/, 0],
    ["now.getHours('Mars/Olympus')", /Mars\/Olympus/, 0],
    ['now.getHours(1)', /timestamp\.getHours\(int\)/i, 0],
    ['1.0 / 0.0', /cannot carry/, 0],
    ['9007199254740993', /cannot carry exactly/, 0],
    ["b'bytes'", /neither text/, 0],
    ['action.args.n && true', /not a boolean/, 0],
    ["'a' + 1", /no such overload/, 0],
    ['(1', /expected RPAREN/, 2],
    ["'a'.matches('a')", /`matches` is not available/, 0],
    ['[1].all(a, [1].all(b, [1].all(c, true)))', /nest over 2 levels/, 22],
    [`'${'a'.repeat(5000)}'`, /over 4096/, 0],
    [Array(150).fill('1').join('+'), /maxAstNodes/, 0],
  ])('%s fails with a position', (source, message, offset) => {
    try {
      resultOf(source)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(ExpressionError)
      expect((error as ExpressionError).message).toMatch(message)
      if (offset > 0) expect((error as ExpressionError).offset).toBe(offset)
    }
  })

  test('knows the words of CEL that a name may not be', () => {
    expect(['list', 'int', 'order'].map(isReservedName)).toEqual([true, true, false])
  })

  const items = Array.from({ length: 20_000 }, (_, index) => index)
  const text = 'a'.repeat(1 << 20)
  const deep = JSON.parse('['.repeat(60) + ']'.repeat(60))
  test.each([
    'items.all(x, x >= 0.0)',
    'items.exists(x, x < 0)',
    'items.map(x, items.map(y, y))',
    'items.exists(x, items.exists(y, x == -1)) || true',
    'items.exists(x, x.missing)',
    "items.map(x, text.contains('b'))",
    "items.map(x, re(text, '(a*)*b'))",
    "items.filter(x, re('aaaaaaaaaaaaaaaaaaaaaaaa', '(a|a)*b'))",
    "items.map(x, now.getHours('Europe/Berlin'))",
    'items.map(x, items == items)',
    'cel.bind(a, text + text, cel.bind(b, a + a, cel.bind(c, b + b, size(c + c))))',
    "text.split('')",
    'deep == 1',
  ])('a hostile expression stays bounded: %s', (source) => {
    const startedMs = threadMs()
    expect(() => evaluate(compileExpression(source), { items, text, deep, now: names.now })).toThrow(ExpressionError)
    expect(threadMs() - startedMs).toBeLessThan(500)
  })
})

describe('checking an expression', () => {
  const schemas = {
    order: {
      type: 'object',
      properties: {
        total: { type: 'number' },
        count: { type: 'integer' },
        name: { type: 'string' },
        note: { type: ['string', 'null'] },
        items: { type: 'array', items: { type: 'object', properties: { sku: { type: 'string' } } } },
        extra: { type: 'object', additionalProperties: true },
      },
    },
    event: null,
    now: null,
  } as const satisfies ExpressionScope['names']
  const problems = (source: string, result: ExpressionScope['result'] = 'boolean') =>
    checkExpression(source, { names: schemas, result })

  test.each([
    'order.total > 1000',
    'order.total == 1000 || order.count != 2',
    'order.count in [1, 2, 3]',
    'order.note == null',
    "order.items.exists(i, i.sku == 'a') && order.items[0].sku == 'b'",
    'event.payload.anything == 1',
    'order.extra.anything == 1',
    "now.getHours('UTC') > 8",
    'size(order.items) * 2.5 > order.count',
    "re(order.name, '^a')",
  ])('finds nothing in %s', (source) => {
    expect(problems(source)).toEqual([])
  })

  test.each([
    ['order.totl > 1', 'no such key: totl', 6, 4],
    ['ordr.total > 1', 'unknown variable: ordr', 0, 4],
    ['order.name > 1', 'no such overload: string > int', 0, 14],
    ["order.items.exists(i, i.skuu == 'a')", 'no such key: skuu', 24, 4],
    ['order.total', 'the expression is double, not a boolean', 0, 11],
    ["re(order.name, '(')", 'error parsing regexp: missing closing ): `(`', 15, 3],
    ['1 +* 2', 'unexpected token: MULTIPLY', 3, 1],
  ])('finds the problem in %s', (source, message, offset, length) => {
    expect(problems(source)).toEqual([expect.objectContaining({ message, offset, length })])
  })

  test('says what is in scope, and how numbers are written', () => {
    expect(problems('ordr.total > 1')[0]?.hint).toBe('in scope: event, now, order')
    expect(problems('order.items[order.count].sku == "a"')[0]?.hint).toMatch(/write 1\.0/)
    expect(problems("order.name.matches('x')")[0]?.hint).toMatch(/re\(text, "pattern"\)/)
  })

  test('takes a number where a number is wanted', () => {
    expect(problems('order.total * 2', 'number')).toEqual([])
    expect(problems('order.name', 'number')).toHaveLength(1)
    expect(problems('order.name', 'any')).toEqual([])
  })
})
