/** Reads the length-prefixed fields of the SSH wire format (RFC 4251 section 5) in order; null once one is cut short. */
export interface WireReader {
  string(): Buffer | null
  byte(): number | null
  uint32(): number | null
  /** Whether everything was read. */
  atEnd(): boolean
}

export function wireReader(bytes: Buffer): WireReader {
  let at = 0
  const take = (length: number): Buffer | null => {
    if (length > bytes.length - at) return null
    at += length
    return bytes.subarray(at - length, at)
  }
  const uint32 = () => take(4)?.readUInt32BE(0) ?? null
  return {
    string() {
      const length = uint32()
      return length === null ? null : take(length)
    },
    byte: () => take(1)?.[0] ?? null,
    uint32,
    atEnd: () => at === bytes.length,
  }
}

export function wireString(bytes: Uint8Array | string): Buffer {
  const content = Buffer.from(bytes)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  return Buffer.concat([length, content])
}

/** A non-negative integer without its leading zeros; null for a negative one. */
export function wireInteger(bytes: Buffer): Buffer | null {
  if (bytes.length === 0 || bytes[0]! >= 0x80) return null
  const start = bytes.findIndex((byte) => byte !== 0)
  return start < 0 ? Buffer.alloc(0) : bytes.subarray(start)
}

/** Base64 as OpenSSH writes it; null for anything Node would silently skip over. */
export function strictBase64(text: string): Buffer | null {
  if (text.length === 0 || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null
  return Buffer.from(text, 'base64')
}
