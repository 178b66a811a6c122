import { hash } from 'node:crypto'
import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * A file that holds one JSON value and is replaced as a whole.
 *
 * Its first line is the engine it belongs to and the digest of the rest, so that one torn or flipped bit makes it
 * worthless and not wrong. Reading and writing never throw: a cache that is gone costs time and nothing else.
 */
export class CacheFile {
  readonly #directory: string
  readonly #path: string
  readonly #engine: string

  constructor(directory: string, name: string, engine: string) {
    this.#directory = directory
    this.#path = join(directory, name)
    this.#engine = engine
  }

  /** The value that was written last by the same engine; null when there is none. */
  read<Value>(): Value | null {
    try {
      const text = readFileSync(this.#path, 'latin1')
      const end = text.indexOf('\n')
      const body = text.slice(end + 1)
      return text.slice(0, end) === this.#head(body) ? (JSON.parse(body) as Value) : null
    } catch {
      // Absent or not readable: everything is found out again, and the file replaced.
      return null
    }
  }

  write(value: unknown): void {
    try {
      mkdirSync(this.#directory, { recursive: true })
      writeFileSync(join(this.#directory, '.gitignore'), '*\n')
    } catch {
      // A read-only checkout must not keep anyone from validating.
      return
    }
    // ASCII, because a one-byte string is read three times as fast.
    const ascii = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
    const body = JSON.stringify(value).replace(/[^\0-\x7f]/g, ascii)
    const temporary = `${this.#path}.${process.pid}.tmp`
    try {
      // In two steps, because a copy of the body in front of which the head stands is megabytes of memory.
      writeFileSync(temporary, `${this.#head(body)}\n`)
      appendFileSync(temporary, body, 'latin1')
      renameSync(temporary, this.#path)
    } catch {
      // Nor must a full disk.
      rmSync(temporary, { force: true })
    }
  }

  remove(): void {
    try {
      rmSync(this.#path, { force: true })
    } catch {
      // What cannot be removed was not written by us either, and its head will not fit.
    }
  }

  #head(body: string): string {
    return `${this.#engine} ${hash('sha256', body, 'hex')}`
  }
}
