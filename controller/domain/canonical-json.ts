import type { Json } from './json.ts'

/**
 * The canonical form of a JSON value (RFC 8785): keys sorted by UTF-16 code units, no white space, numbers and strings
 * as ECMAScript writes them.
 *
 * Properties whose value is `undefined` are left out. Throws a `TypeError` on what JSON cannot carry: a number that is
 * not finite, a lone surrogate, a function, a symbol or a bigint.
 */
export function canonicalJson(value: Json | undefined): string {
  switch (typeof value) {
    case 'string':
      return canonicalString(value)
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`canonical JSON cannot carry the number ${value}`)
      return String(value === 0 ? 0 : value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      if (value === null) return 'null'
      return Array.isArray(value) ? canonicalArray(value) : canonicalObject(value as Record<string, Json>)
    default:
      throw new TypeError(`canonical JSON cannot carry a ${typeof value}`)
  }
}

export function canonicalBytes(value: Json): Buffer {
  return Buffer.from(canonicalJson(value), 'utf8')
}

function canonicalString(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('canonical JSON cannot carry a lone surrogate')
  return JSON.stringify(text)
}

function canonicalArray(items: readonly Json[]): string {
  let out = '['
  for (let index = 0; index < items.length; index++) {
    if (index > 0) out += ','
    out += canonicalJson(items[index])
  }
  return `${out}]`
}

function canonicalObject(object: Record<string, Json | undefined>): string {
  let out = '{'
  // The default sort compares UTF-16 code units, which is the order RFC 8785 section 3.2.3 asks for.
  for (const key of Object.keys(object).sort()) {
    const value = object[key]
    if (value === undefined) continue
    if (out.length > 1) out += ','
    out += `${canonicalString(key)}:${canonicalJson(value)}`
  }
  return `${out}}`
}
