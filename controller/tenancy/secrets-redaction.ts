import type { Json } from '../domain/json.ts'
import type { SecretValue } from './secrets.ts'
import { isIdentityField, valueCharactersMin } from './secrets-rules.ts'

/** Takes the secrets it knows out of whatever somebody else wrote, by value and in the forms values travel in. */
export interface Redactor {
  text(text: string): string
  /** The same value with every string and every key redacted. */
  json(value: Json): Json
}

/** A redactor of what one call used: its credential, and what was made of it (tokens, headers). */
export function redactorOf(secrets: Iterable<SecretValue>, derived: readonly string[] = []): Redactor {
  const forms = new Map<string, string>()
  for (const { name, field, value } of secrets) {
    if (isIdentityField(field)) continue
    for (const form of formsOf(value)) forms.set(form, `[secret ${name}.${field}]`)
  }
  for (const text of derived) for (const form of formsOf(Buffer.from(text))) forms.set(form, '[secret]')
  // The longest first: a form that contains another is replaced whole.
  const ordered = [...forms].sort(([a], [b]) => b.length - a.length)
  const redactText = (text: string): string => {
    let redacted = text
    for (const [form, label] of ordered) {
      if (redacted.includes(form)) redacted = redacted.replaceAll(form, label)
    }
    return redacted
  }
  return { text: redactText, json: (value) => (ordered.length === 0 ? value : redactJson(value, redactText)) }
}

/** How a value looks in the places it could turn up in: as it is, in JSON, in URLs, in base64 and in hexadecimal. */
function formsOf(value: Buffer): string[] {
  const text = value.toString('utf8')
  if ([...text].length < valueCharactersMin) return []
  const json = JSON.stringify(text).slice(1, -1)
  const url = encodeURIComponent(text.toWellFormed())
  const forms = [
    text,
    json,
    json.replaceAll('/', '\\/'),
    url,
    url.replaceAll(/%[0-9A-F]{2}/g, (octet) => octet.toLowerCase()),
    url.replaceAll('%20', '+'),
    new URLSearchParams([['', text]]).toString().slice(1),
    value.toString('hex'),
    value.toString('hex').toUpperCase(),
    ...base64Forms(value),
  ]
  return forms.filter((form) => form.length >= valueCharactersMin)
}

/**
 * Base64 of the value wherever it begins in what was encoded: with 0, 1 or 2 bytes before it, the characters that only
 * the value decides are the same.
 */
function base64Forms(value: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), value]).toString('base64')
    const first = Math.ceil((before * 8) / 6)
    const last = Math.floor(((before + value.length) * 8) / 6)
    const own = encoded.slice(first, last)
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

function redactJson(value: Json, redact: (text: string) => string): Json {
  if (typeof value === 'string') return redact(value)
  if (typeof value === 'number') return redact(String(value)) === String(value) ? value : redact(String(value))
  if (Array.isArray(value)) return value.map((item: Json) => redactJson(item, redact))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [redact(key), redactJson(item, redact)]))
  }
  return value
}
