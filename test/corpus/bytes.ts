import { bytes, type CorpusRow, files, subjectPath, text } from './row.ts'

const head = 'apiVersion: fibric.io/v1\nkind: Workspace\nmetadata: {name: subject}\n'
const described = (value: string | Buffer) =>
  Buffer.concat([Buffer.from(`${head}spec: {displayName: "`), Buffer.from(value as string), Buffer.from('"}\n')])
const repeated = (unit: string, length: number) => unit.repeat(Math.ceil(length / unit.length)).slice(0, length)

/** What is wrong before there is any text, and what only a machine would write. */
export const byteRows: readonly CorpusRow[] = [
  bytes('a lone continuation byte', described(Buffer.from([0x80])), 'INVALID_UTF8', 4, 22),
  bytes('a truncated two-byte sequence', described(Buffer.from([0xc3])), 'INVALID_UTF8', 4, 22),
  bytes('a truncated three-byte sequence', described(Buffer.from([0xe2, 0x82])), 'INVALID_UTF8', 4, 22),
  bytes('a truncated four-byte sequence', described(Buffer.from([0xf0, 0x9f, 0x98])), 'INVALID_UTF8', 4, 22),
  bytes('an overlong slash', described(Buffer.from([0xc0, 0xaf])), 'INVALID_UTF8', 4, 22),
  bytes('an overlong three-byte form', described(Buffer.from([0xe0, 0x80, 0xaf])), 'INVALID_UTF8', 4, 22),
  bytes('an encoded surrogate', described(Buffer.from([0xed, 0xa0, 0x80])), 'INVALID_UTF8', 4, 22),
  bytes('a code point above U+10FFFF', described(Buffer.from([0xf4, 0x90, 0x80, 0x80])), 'INVALID_UTF8', 4, 22),
  bytes('a byte that never occurs in UTF-8', described(Buffer.from([0xff])), 'INVALID_UTF8', 4, 22),
  bytes('Latin-1 text', described(Buffer.from('caf\u00e9', 'latin1')), 'INVALID_UTF8', 4, 25),
  bytes('an invalid byte after multi-byte text', described(Buffer.concat([Buffer.from('é€😀'), Buffer.from([0x80])])), 'INVALID_UTF8', 4, 26),
  bytes('an invalid byte at the very end', Buffer.concat([Buffer.from(head), Buffer.from([0xc3])]), 'INVALID_UTF8', 4, 1),
  bytes('UTF-16 little endian', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(head, 'utf16le')]), 'INVALID_UTF8', 1, 1),
  bytes('UTF-16 big endian', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(head, 'utf16le').swap16()]), 'INVALID_UTF8', 1, 1),
  bytes('UTF-16 of an odd length', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(`${head}`, 'utf16le').swap16(), Buffer.from([0])]), 'INVALID_UTF8', 1, 1),
  bytes('a NUL byte', described('a\0b'), 'CONTROL_CHARACTER', 4, 23),
  bytes('a bell', described('\x07'), 'CONTROL_CHARACTER', 4, 22),
  bytes('an escape that would recolour a terminal', described('\x1b[31m'), 'CONTROL_CHARACTER', 4, 22),
  bytes('a delete character', described('\x7f'), 'CONTROL_CHARACTER', 4, 22),
  bytes('a vertical tab', described('\x0b'), 'CONTROL_CHARACTER', 4, 22),
  bytes('a carriage return without a line feed', described('a\rb'), 'CONTROL_CHARACTER', 4, 23),
  bytes('line ends of an old Macintosh', Buffer.from(head.replaceAll('\n', '\r')), 'CONTROL_CHARACTER', 1, 25),
  bytes('a document over 1 MiB', Buffer.from(`${head}spec:\n  displayName: ${repeated('long ', 1_100_000)}x\n`), 'DOCUMENT_TOO_LARGE', 1, 1),
  bytes('a file over 8 MiB', Buffer.from(`${head}${repeated('# filler\n', 8_400_000)}`), 'FILE_TOO_LARGE', 1, 1),
  bytes('a file of commas', Buffer.from(`# apiVersion\n[${repeated('a,', 1_000_000)}`), 'DOCUMENT_TOO_LARGE', 2, 400_000),
  bytes('brackets a hundred thousand deep', Buffer.from(`# apiVersion\n${repeated('[', 100_000)}`), 'TOO_DEEP', 2, 67),
  bytes('braces a hundred thousand deep', Buffer.from(`# apiVersion\n${repeated('{a: ', 400_000)}`), 'TOO_DEEP', 2, 262),
  bytes('dashes a hundred thousand deep', Buffer.from(`# apiVersion\n${repeated('- ', 200_000)}`), 'TOO_DEEP', 2, 132),
  bytes('question marks a hundred thousand deep', Buffer.from(`# apiVersion\n${repeated('? ', 200_000)}`), 'TOO_DEEP', 2, 132),
  bytes('mappings nested one per line', Buffer.from(`${head}spec:\n${Array.from({ length: 80 }, (_, level) => `${' '.repeat(level + 2)}a:\n`).join('')}`), 'TOO_DEEP', 69, 68),
  bytes('JSON nested too deep', Buffer.from(`{"apiVersion": "fibric.io/v1", "spec": ${repeated('[', 70)}${repeated(']', 70)}}`), 'TOO_DEEP', 1, 105, 'tenants/acme/subject.json'),
  bytes('a quarter of a million empty documents', Buffer.from(`# apiVersion\n${repeated('---\n', 1_000_000)}`), 'DOCUMENT_TOO_LARGE', 20_003, 4),
  text(
    'a billion laughs',
    `apiVersion: fibric.io/v1
kind: Parameter
metadata: {name: subject}
spec:
  value:
    a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]
    b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
    c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
    d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]
    e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]
    f: [*e, *e, ⟦ALIAS_EXPANSION⟧*e, *e, *e, *e, *e, *e, *e]
`,
  ),
  files('an alias of a long text repeated', {
    [subjectPath]: `${head}spec:\n  displayName: &a "${repeated('x', 200_000)}"\n  b: [*a, *a, *a, *a, *a, ⟦ALIAS_EXPANSION⟧*a, *a]\n`,
  }),
  text('an alias that nests past the bound', `apiVersion: fibric.io/v1
kind: Parameter
metadata: {name: subject}
spec:
  value:
    a: &a ${'['.repeat(40)}x${']'.repeat(40)}
    b: ${'['.repeat(40)}⟦TOO_DEEP⟧*a${']'.repeat(40)}
`),
]
