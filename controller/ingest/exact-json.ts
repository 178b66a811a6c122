import { FibricError } from '../domain/errors.ts'
import type { Json } from '../domain/json.ts'

const depthMax = 64
const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * JSON as received, or `INVALID_JSON` with the place. A number that a double does not carry exactly is refused, or with
 * `string` kept as its digits: nothing is rounded in silence.
 */
export function parseExactJson(bytes: Uint8Array, bigNumbers: 'refuse' | 'string' = 'refuse'): Json {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch (cause) {
    throw new FibricError('INVALID_JSON', 'the body is not UTF-8', { cause })
  }
  return new Parser(text, bigNumbers).whole()
}

const whiteSpace = /[ \t\n\r]*/y
// Every UTF-16 code unit from the space on but `"` and `\`.
const plainText = /"[ !#-[\]-\uffff]*/y
const escaping = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*/y
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y
const words: readonly (readonly [string, Json])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
]

class Parser {
  readonly #text: string
  readonly #bigNumbers: 'refuse' | 'string'
  readonly #path: (string | number)[] = []
  #at = 0

  constructor(text: string, bigNumbers: 'refuse' | 'string') {
    this.#text = text
    this.#bigNumbers = bigNumbers
  }

  whole(): Json {
    const value = this.#value()
    this.#skip()
    if (this.#at < this.#text.length) throw this.#unexpected()
    return value
  }

  #value(): Json {
    this.#skip()
    const character = this.#text[this.#at]
    if (character === '{') return this.#nested(() => this.#object())
    if (character === '[') return this.#nested(() => this.#array())
    if (character === '"') return this.#string()
    for (const [word, value] of words) {
      if (!this.#text.startsWith(word, this.#at)) continue
      this.#at += word.length
      return value
    }
    return this.#number()
  }

  #nested<T>(read: () => T): T {
    if (this.#path.length >= depthMax) throw this.#refused(`nests over ${depthMax} levels deep`)
    this.#at++
    return read()
  }

  #object(): Json {
    const members: [string, Json][] = []
    if (this.#takes('}')) return {}
    do {
      this.#skip()
      if (this.#text[this.#at] !== '"') throw this.#unexpected()
      const name = this.#string()
      if (!this.#takes(':')) throw this.#unexpected()
      this.#path.push(name)
      members.push([name, this.#value()])
      this.#path.pop()
    } while (this.#takes(','))
    if (!this.#takes('}')) throw this.#unexpected()
    // Makes own members of every name, `__proto__` too.
    return Object.fromEntries(members)
  }

  #array(): Json {
    const items: Json[] = []
    if (this.#takes(']')) return items
    do {
      this.#path.push(items.length)
      items.push(this.#value())
      this.#path.pop()
    } while (this.#takes(','))
    if (!this.#takes(']')) throw this.#unexpected()
    return items
  }

  #string(): string {
    const start = this.#at
    this.#match(plainText)
    let escaped = false
    while (this.#text[this.#at] === '\\') {
      if (this.#match(escaping) === null) throw this.#unexpected()
      escaped = true
    }
    if (this.#text[this.#at] !== '"') throw this.#unexpected()
    this.#at++
    const written = this.#text.slice(start, this.#at)
    return escaped ? (JSON.parse(written) as string) : written.slice(1, -1)
  }

  #number(): Json {
    const written = this.#match(number)
    if (written === null || written === '') throw this.#unexpected()
    const value = Number(written)
    if (isExact(written, value)) return value
    if (this.#bigNumbers === 'string') return written
    throw this.#refused(`is the number ${written.slice(0, 40)}, which a double does not carry exactly`)
  }

  #takes(character: string): boolean {
    this.#skip()
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #skip(): void {
    this.#match(whiteSpace)
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return null
    this.#at = pattern.lastIndex
    return match[0]
  }

  #unexpected(): FibricError {
    const ended = this.#at >= this.#text.length
    const found = ended
      ? 'ends early'
      : `has \`${String.fromCodePoint(this.#text.codePointAt(this.#at)!).toWellFormed()}\``
    return new FibricError('INVALID_JSON', `the JSON text ${found} at character ${this.#at}`, {
      details: { path: this.#pointer() },
    })
  }

  #refused(what: string): FibricError {
    const path = this.#pointer()
    return new FibricError('INVALID_JSON', `\`${path.slice(0, 200) || '/'}\` ${what}`, {
      details: { path },
      hint: 'send such numbers as strings',
    })
  }

  /** JSON pointer (RFC 6901) to where the parser is. */
  #pointer(): string {
    return this.#path
      .map((step) => `/${String(step).toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1')}`)
      .join('')
  }
}

/** Whether the double that was read writes the same number again. */
function isExact(written: string, value: number): boolean {
  if (/^-?\d{1,15}$/.test(written)) return true
  return Number.isFinite(value) && decimalOf(written) === decimalOf(String(value))
}

/** A number's digits without zeros around them, and the power of ten that belongs to them. */
function decimalOf(written: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(
    written,
  )!
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}
