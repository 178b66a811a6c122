import { isCron } from './cron-text.ts'

/** One format of a string field: what it is called, what it looks like, and whether a text has it. */
export interface TextFormat {
  /** With its article: `a duration`. */
  readonly name: string
  readonly example: string
  readonly test: (text: string) => boolean
}

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const semver =
  /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?$/
const dotted = /^[a-z0-9][a-z0-9_-]{0,62}(\.[a-z0-9][a-z0-9_-]{0,62}){1,9}$/
const durationText = /^(?=.)(?:(\d{1,7})d)?(?:(\d{1,7})h)?(?:(\d{1,7})m(?!s))?(?:(\d{1,9})s)?(?:(\d{1,12})ms)?$/
const sizeText = /^(\d{1,12})(Ki|Mi|Gi|Ti)?$/
const rateText = /^(\d{1,9})\/(s|m|h|d)$/
const hostLabels = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/
const moment = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-](\d{2}):(\d{2}))$/

export const formats = {
  'dns-label': pattern('an RFC 1123 label (lower-case letters, digits, dashes, at most 63)', 'order-risk', label),
  'versioned-name': {
    name: 'a name and a version',
    example: 'shop@1.2.0',
    test: (text) => {
      const at = text.indexOf('@')
      return at > 0 && label.test(text.slice(0, at)) && semver.test(text.slice(at + 1))
    },
  },
  semver: pattern('a semantic version', '1.2.0', semver),
  capability: pattern('a capability (dot-separated lower-case segments, noun.verb)', 'order.hold', dotted),
  'event-type': pattern('an event type (dot-separated lower-case segments)', 'order.created', dotted),
  // Other languages' globs would be literal text here, and a BLOCK rule that matches nothing.
  glob: pattern(
    'a glob over dot- or colon-separated segments (`*` and `**`; no braces, no brackets)',
    'order.*',
    /^[^\s.:{}[\]]{1,128}([.:][^\s.:{}[\]]{1,128}){0,31}$/,
  ),
  identifier: pattern('an identifier of CEL', 'order', /^[A-Za-z_][A-Za-z0-9_]{0,62}$/),
  duration: { name: 'a duration', example: '30s, 15m, 72h or 14d', test: (text) => durationMs(text) !== null },
  size: { name: 'a size in bytes', example: '512Mi', test: (text) => sizeBytes(text) !== null },
  rate: { name: 'a rate', example: '100/s', test: (text) => ratePerSecond(text) !== null },
  cron: { name: 'a cron expression of five fields', example: '0 8 * * mon-fri', test: isCron },
  'time-zone': { name: 'an IANA time zone', example: 'Europe/Berlin', test: isTimeZone },
  'time-of-day': pattern('a time of day', '08:00', /^(([01]\d|2[0-3]):[0-5]\d|24:00)$/),
  'date-time': { name: 'a moment (RFC 3339)', example: '2027-01-31T00:00:00Z', test: isMoment },
  country: pattern('a country (ISO 3166, two capitals)', 'DE', /^[A-Z]{2}$/),
  currency: pattern('a currency (ISO 4217, three capitals)', 'EUR', /^[A-Z]{3}$/),
  hostname: pattern('a host name in lower case, without a port', 'acme.example.com', hostLabels),
  host: { name: 'a host in lower case, with a port where needed', example: 'shop.example.com', test: isHost },
  'http-url': { name: 'an http or https URL', example: 'https://example.com/hook', test: isHttpUrl },
  cidr: { name: 'an address range (CIDR)', example: '10.0.0.0/8', test: isCidr },
  email: pattern('an email address', 'jane@example.com', /^[^\s@<>]{1,64}@[^\s@<>.]+(\.[^\s@<>.]+)*$/),
  'signing-key': {
    name: 'an SSH public key or a PGP public key block',
    example: 'ssh-ed25519 AAAA…',
    test: isSigningKey,
  },
  'file-path': {
    name: 'a relative path with forward slashes',
    example: 'prompts/risk.md',
    test: (text) => text !== '' && !text.startsWith('/') && !/[\0\\]/.test(text) && !/^[A-Za-z]:/.test(text),
  },
  'header-name': pattern('a header name', 'Idempotency-Key', /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/),
  'column-name': pattern(
    'a column name (lower-case letters, digits, underscores)',
    'order_id',
    /^[a-z][a-z0-9_]{0,62}$/,
  ),
  'label-key': pattern(
    'a label key',
    'team or example.com/team',
    /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
  ),
  'label-value': pattern('a label value', 'ops', /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/),
  digest: pattern('a digest', 'sha256:… with 64 hexadecimal digits', /^sha256:[0-9a-f]{64}$/),
} as const satisfies { readonly [name: string]: TextFormat }

export type FormatName = keyof typeof formats

/** Milliseconds of a duration such as `90s`, `1h30m` or `14d`, or null. */
export function durationMs(text: string): number | null {
  const found = durationText.exec(text)
  if (found === null) return null
  const [days, hours, minutes, seconds, rest] = found.slice(1).map((part) => Number(part ?? 0)) as FiveNumbers
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + rest
}

/** Bytes of a size such as `8Mi`, or null. */
export function sizeBytes(text: string): number | null {
  const found = sizeText.exec(text)
  if (found === null) return null
  return Number(found[1]) * 1024 ** ['', 'Ki', 'Mi', 'Gi', 'Ti'].indexOf(found[2] ?? '')
}

/** Events a second of a rate such as `100/s`, or null. */
export function ratePerSecond(text: string): number | null {
  const found = rateText.exec(text)
  if (found === null) return null
  return Number(found[1]) / { s: 1, m: 60, h: 3600, d: 86_400 }[found[2] as 's' | 'm' | 'h' | 'd']
}

type FiveNumbers = [number, number, number, number, number]

function pattern(name: string, example: string, expression: RegExp): TextFormat {
  return { name, example, test: (text) => expression.test(text) }
}

const timeZones = new Map<string, boolean>()

function isTimeZone(text: string): boolean {
  const known = timeZones.get(text)
  if (known !== undefined) return known
  // Offsets such as `+02:00` are accepted by Intl but have no daylight saving: never what an author means.
  const valid = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(text) && intlKnows(text)
  if (timeZones.size < 1000) timeZones.set(text, valid)
  return valid
}

function intlKnows(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }) !== null
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

function isMoment(text: string): boolean {
  const found = moment.exec(text)
  if (found === null) return false
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [...FiveNumbers, number]
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const last = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0
  const offset = found[9] === undefined || (Number(found[9]) <= 23 && Number(found[10]) <= 59)
  return day >= 1 && day <= last && hour <= 23 && minute <= 59 && second <= 59 && offset
}

function isHost(text: string): boolean {
  const found = /^(?:\[([0-9a-f:.]{2,45})\]|([^:[\]]{1,253}))(?::(\d{1,5}))?$/.exec(text)
  if (found === null) return false
  if (found[3] !== undefined && (Number(found[3]) < 1 || Number(found[3]) > 65_535)) return false
  return found[1] === undefined ? hostLabels.test(found[2] ?? '') : isIpv6(found[1])
}

function isHttpUrl(text: string): boolean {
  if (!/^https?:\/\/[^\s]{1,2048}$/.test(text)) return false
  const url = URL.parse(text)
  // Credentials in a URL would end up in plans and receipts.
  return url !== null && url.hostname !== '' && url.username === '' && url.password === ''
}

function isCidr(text: string): boolean {
  const found = /^([0-9a-f:.]{2,45})\/(\d{1,3})$/.exec(text.toLowerCase())
  if (found === null) return false
  const [address = '', bits] = found.slice(1)
  if (isIpv4(address)) return Number(bits) <= 32
  return isIpv6(address) && Number(bits) <= 128
}

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

function isIpv6(text: string): boolean {
  return text.includes(':') && URL.parse(`http://[${text}]/`) !== null
}

function isSigningKey(text: string): boolean {
  if (/^-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]{1,65536}-----END PGP PUBLIC KEY BLOCK-----\s*$/.test(text))
    return true
  const found =
    /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) ([A-Za-z0-9+/]+={0,2})( [^\r\n]*)?$/.exec(
      text,
    )
  if (found === null) return false
  // The algorithm stands in front of the key's bytes a second time, with its length.
  const [algorithm = '', body = ''] = found.slice(1)
  const bytes = Buffer.from(body, 'base64')
  return bytes.length > 4 && bytes.subarray(4, 4 + bytes.readUInt32BE(0)).toString('latin1') === algorithm
}
