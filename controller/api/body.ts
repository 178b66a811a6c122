import { FibricError } from '../domain/errors.ts'
import type { Json } from '../domain/json.ts'
import { isKeepable } from '../domain/keepable.ts'

export { isKeepable }

const depthMax = 64
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Refuses what is not said to be JSON. */
export function requireJson(contentType: string | undefined): void {
  if (
    contentType !== undefined &&
    /^application\/(?:[\w.-]+\+)?json\s*(?:;\s*charset="?utf-8"?\s*)?$/i.test(contentType)
  )
    return
  throw new FibricError('UNSUPPORTED_MEDIA_TYPE', 'the body has to be JSON', {
    hint: 'send it with content-type: application/json',
  })
}

/** A body as JSON. Text that PostgreSQL cannot keep, and nesting without end, are refused where they stand. */
export function parseJson(bytes: Buffer): Json {
  let value: Json
  try {
    value = JSON.parse(decoder.decode(bytes)) as Json
  } catch (cause) {
    throw new FibricError('INVALID_JSON', 'the body is not JSON in UTF-8', { cause })
  }
  refuseUnkeepable(value)
  return value
}

function refuseUnkeepable(root: Json): void {
  const pending: { readonly value: Json; readonly pointer: string; readonly depth: number }[] = [
    { value: root, pointer: '', depth: 0 },
  ]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value, pointer, depth } = next
    if (typeof value === 'string' && !isKeepable(value)) throw refused(pointer, 'holds U+0000 or half a surrogate pair')
    if (typeof value === 'number' && !Number.isFinite(value)) throw refused(pointer, 'is a number beyond every double')
    if (typeof value !== 'object' || value === null) continue
    if (depth === depthMax) throw refused(pointer, `is nested over ${depthMax} levels deep`)
    for (const [key, item] of Object.entries(value)) {
      if (!isKeepable(key)) throw refused(pointer, 'has a name that holds U+0000 or half a surrogate pair')
      pending.push({ value: item as Json, pointer: `${pointer}/${key}`, depth: depth + 1 })
    }
  }
}

function refused(pointer: string, what: string): FibricError {
  return new FibricError('INVALID_JSON', `\`${pointer.slice(0, 200) || '/'}\` ${what}`)
}
