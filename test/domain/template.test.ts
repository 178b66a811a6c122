import { describe, expect, test } from 'vitest'
import { isLiteral, parseTemplate, renderTemplate, type TemplatePlace } from '../../controller/domain/template.ts'

function partsOf(text: string) {
  const parsed = parseTemplate(text)
  if ('problem' in parsed) throw new Error(parsed.problem.message)
  return parsed.parts
}

describe('parsing a template', () => {
  test.each([
    ['plain text', ['plain text']],
    ['', ['']],
    ['$5 and $$6', ['$5 and $$6']],
    ['a ${x} b', ['a ', 'x', ' b']],
    ['$${x}', ['${x}']],
    ['${ {"a": 1}["a"] }', [' {"a": 1}["a"] ']],
    ['${"}"}', ['"}"']],
    ["${'\\'}'}!", ["'\\'}'", '!']],
    ['${"""a"}b"""}', ['"""a"}b"""']],
    ['${x // }\n}', ['x // }\n']],
    ['${a}${b}', ['a', 'b']],
  ])('%j has the parts %j', (text, want) => {
    expect(partsOf(text).map((part) => (typeof part === 'string' ? part : part.source))).toEqual(want)
  })

  test.each([
    ['ab ${x', '`${` without its `}`', 3],
    ['${"}', '`${` without its `}`', 0],
    ['x${ }', '`${}` holds no expression', 1],
  ])('%j is a problem with a position', (text, message, offset) => {
    expect(parseTemplate(text)).toMatchObject({ problem: { message, offset } })
  })

  test('knows a text without expressions', () => {
    expect(isLiteral(partsOf('a $${x}'))).toBe(true)
    expect(isLiteral(partsOf('${x}'))).toBe(false)
  })
})

describe('rendering a template', () => {
  const names = {
    id: 'A.1:b/*%',
    slug: 'acme',
    big: 'Acme',
    n: 7,
    amount: 12.5,
    yes: true,
    items: [1, 'a'],
    none: null,
    dots: '..',
    dot: '.',
    slash: 'a/b',
    space: 'a b&c',
    line: 'a\r\nX: y',
    umlaut: 'ü',
  }
  test.each<[string, TemplatePlace, unknown]>([
    ['${n}', 'json', 7],
    ['${items}', 'text', [1, 'a']],
    ['${none}', 'json', null],
    ['no ${n} for ${items}', 'text', 'no 7 for [1,"a"]'],
    ['order:${id}', 'key', 'order:A%2E1%3Ab%2F%2A%25'],
    ['${n}', 'key', '7'],
    ['/orders/${n}/hold', 'path', '/orders/7/hold'],
    ['/orders/${space}', 'path', '/orders/a%20b%26c'],
    ['${space}', 'query', 'a%20b%26c'],
    ['q ${n}', 'query', 'q%207'],
    ['${none}', 'query', null],
    ['Bearer ${umlaut}-${space}', 'header', 'Bearer %C3%BC-a b&c'],
    ['${big}', 'host', 'acme'],
    ['https://${slug}.example.com', 'host', 'https://acme.example.com'],
    ['${amount} ${yes}', 'text', '12.5 true'],
  ])('%s in a %s is %j', (text, place, want) => {
    expect(renderTemplate(partsOf(text), names, place)).toEqual(want)
  })

  test.each<[string, TemplatePlace, RegExp]>([
    ['/a/${dots}', 'path', /no path segment/],
    ['/a/.${dot}', 'path', /no path segment/],
    ['/a/../${n}', 'path', /dot segment/],
    ['/a/${slash}', 'path', /holds `\/`/],
    ['/a/${none}', 'path', /is null/],
    ['/a/${line}', 'path', /control/],
    ['${line}', 'header', /control character/],
    ['https://${id}.example.com', 'host', /single DNS label/],
    ['${items}', 'key', /is a list/],
    ['x ${missing}', 'text', /unknown variable/],
  ])('%s in a %s is refused', (text, place, message) => {
    expect(() => renderTemplate(partsOf(text), names, place)).toThrow(message)
  })
})
