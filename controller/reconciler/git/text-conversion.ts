import type { Attributes } from './git-objects.ts'

/** What git does to a file's bytes on their way into a commit. */
export type Conversion =
  | { readonly kind: 'none' }
  /** `line endings`: CRLF becomes LF; when `guessed`, only in what looks like text and has no CRLF in the index. */
  | { readonly kind: 'text'; readonly lineEndings: 'none' | 'declared' | 'guessed'; readonly ident: boolean }
  /** Needs a program of the repository's configuration, or an encoding: not done here. */
  | { readonly kind: 'refused'; readonly because: string }

/**
 * The conversion for a path, from its attributes and the settings (`core.autocrlf`, which filters are defined).
 *
 * Done here and not by git, because git would run the filters a hostile repository plants; the suite holds it to what
 * `git hash-object --path` does. Source: git's convert.c (`convert_attrs`, `crlf_to_git`, `ident_to_git`).
 */
export function conversionOf(attributes: Attributes, settings: ReadonlyMap<string, string>): Conversion {
  const { filter, ident } = attributes
  const encoding = attributes['working-tree-encoding']
  // An undefined filter does nothing, in git as here, unless it is required.
  if (typeof filter === 'string' && ['clean', 'process'].some((part) => settings.get(`filter.${filter}.${part}`))) {
    return { kind: 'refused', because: `the filter \`${filter}\`` }
  }
  if (typeof filter === 'string' && isTrue(settings.get(`filter.${filter}.required`))) {
    return { kind: 'refused', because: `the filter \`${filter}\`` }
  }
  if (typeof encoding === 'string' && !/^utf-?8$/i.test(encoding)) {
    return { kind: 'refused', because: `the encoding \`${encoding}\`` }
  }
  const endings = lineEndings(attributes, settings)
  if (endings === 'none' && ident !== true) return { kind: 'none' }
  return { kind: 'text', lineEndings: endings, ident: ident === true }
}

type LineEndings = 'none' | 'declared' | 'guessed'

function lineEndings({ text, eol, crlf }: Attributes, settings: ReadonlyMap<string, string>): LineEndings {
  // `crlf` is the attribute's name before git 1.7.2; `text` outranks it.
  const declared = declaration(text) ?? declaration(crlf)
  if (declared === 'none') return 'none'
  if (eol === 'lf' || eol === 'crlf') return declared ?? 'declared'
  if (declared !== null) return declared
  const autocrlf = settings.get('core.autocrlf')
  return autocrlf?.toLowerCase() === 'input' || isTrue(autocrlf) ? 'guessed' : 'none'
}

function declaration(value: boolean | string | undefined): LineEndings | null {
  if (value === true || value === 'input') return 'declared'
  if (value === false) return 'none'
  return value === 'auto' ? 'guessed' : null
}

export function isTrue(setting: string | undefined): boolean {
  return setting !== undefined && /^(true|yes|on|[1-9]\d*)$/i.test(setting)
}

/** The bytes git would commit. `hasCrlfInIndex` is asked only where git looks at the index too. */
export async function convertToGit(
  bytes: Buffer,
  conversion: { readonly lineEndings: LineEndings; readonly ident: boolean },
  hasCrlfInIndex: () => Promise<boolean>,
): Promise<Buffer> {
  const endings = await withLineFeeds(bytes, conversion.lineEndings, hasCrlfInIndex)
  return conversion.ident ? withoutExpandedIdents(endings) : endings
}

/** Whether a blob is text that was committed with CRLF: such a file is left as it is when line endings are guessed. */
export function isTextWithCrlf(bytes: Buffer): boolean {
  return bytes.includes(crlfBytes) && !looksBinary(bytes)
}

async function withLineFeeds(bytes: Buffer, endings: LineEndings, hasCrlfInIndex: () => Promise<boolean>) {
  if (endings === 'none' || !bytes.includes(crlfBytes)) return bytes
  if (endings === 'guessed' && (looksBinary(bytes) || (await hasCrlfInIndex()))) return bytes
  return Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
}

const crlfBytes = Buffer.from('\r\n')

// git's own guess: a lone CR, a NUL, or more than one unprintable byte in 128. A final Ctrl-Z is DOS's end of file.
function looksBinary(bytes: Buffer): boolean {
  let printable = 0
  let unprintable = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === 13) {
      if (bytes[at + 1] !== 10) return true
      at++
    } else if (byte === 10) continue
    else if (byte === 0) return true
    else if (byte === 127) unprintable++
    else if (byte < 32 && !(byte === 8 || byte === 9 || byte === 27 || byte === 12)) unprintable++
    else printable++
  }
  if (bytes.at(-1) === 26) unprintable--
  return Math.floor(printable / 128) < unprintable
}

function withoutExpandedIdents(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  return text.includes('$Id:') ? Buffer.from(text.replace(/\$Id:[^\n$]*\$/g, '$$Id$$'), 'latin1') : bytes
}
