import { isUtf8 } from 'node:buffer'
import type { ParseProblem } from './parse-problem.ts'

export type Decoded =
  | { readonly text: string; readonly problem: null }
  /** `text` shows the bytes as well as it can, so that the place of the problem can be shown. */
  | { readonly text: string; readonly problem: ParseProblem }

/** Bytes as text: UTF-8 without its byte order mark, or the first place where the bytes are something else. */
export function decodeText(bytes: Buffer): Decoded {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return otherEncoding(bytes.toString('utf16le').slice(1), 'UTF-16')
  if (bytes[0] === 0xfe && bytes[1] === 0xff)
    return otherEncoding(swapped(bytes).toString('utf16le').slice(1), 'UTF-16')
  const body = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes
  const text = body.toString('utf8')
  if (isUtf8(body)) return { text, problem: controlCharacter(text) }
  const offset = firstInvalidByte(body)
  const start = body.subarray(0, offset).toString('utf8').length
  const byte = (body[offset] ?? 0).toString(16).padStart(2, '0')
  const problem = {
    code: 'INVALID_UTF8',
    message: `the byte \`0x${byte}\` at offset ${offset + bytes.length - body.length} is not UTF-8`,
    hint: 'save the file as UTF-8',
    span: { start, end: start + 1 },
  }
  return { text, problem }
}

function otherEncoding(text: string, encoding: string): Decoded {
  const message = `the file is ${encoding}, not UTF-8`
  return {
    text,
    problem: { code: 'INVALID_UTF8', message, hint: 'save the file as UTF-8', span: { start: 0, end: 1 } },
  }
}

function swapped(bytes: Buffer): Buffer {
  return Buffer.from(bytes.subarray(0, bytes.length & ~1)).swap16()
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const forbidden = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)/

function controlCharacter(text: string): ParseProblem | null {
  const start = text.search(forbidden)
  if (start === -1) return null
  const code = text.charCodeAt(start).toString(16).toUpperCase().padStart(4, '0')
  return {
    code: 'CONTROL_CHARACTER',
    message: `the control character \`U+${code}\` is not allowed in a document`,
    hint: code === '000D' ? 'end lines with LF or CRLF' : `write it as an escape in double quotes, or remove it`,
    span: { start, end: start + 1 },
  }
}

/** Offset of the first byte that begins no well-formed sequence (Unicode 15, table 3-7). */
function firstInvalidByte(bytes: Buffer): number {
  let at = 0
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at)
    if (length === 0) return at
    at += length
  }
  return bytes.length
}

function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at]!
  if (first < 0x80) return 1
  const second = bytes[at + 1] ?? 0
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < low || second > high) return 0
  if (first >= 0xc2 && first <= 0xdf) return 2
  if (first >= 0xe0 && first <= 0xef) return isContinuation(bytes[at + 2]) ? 3 : 0
  if (first >= 0xf0 && first <= 0xf4) return isContinuation(bytes[at + 2]) && isContinuation(bytes[at + 3]) ? 4 : 0
  return 0
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x80 && byte <= 0xbf
}
