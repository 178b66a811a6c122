import { isJsonObject, type Json } from '../../domain/json.ts'

/**
 * Reads messages out of a server-sent event stream as it comes in. A server may keep the stream open after its answer:
 * `push` says when the answer to `id` is there, and nobody has to wait for the end.
 */
export class EventStreamReader {
  readonly messages: Json[] = []
  readonly #id: string | number | null
  readonly #decoder = new TextDecoder()
  #line = ''
  #data: string[] = []
  #answered = false

  constructor(id: string | number | null) {
    this.#id = id
  }

  push(chunk: Uint8Array): boolean {
    const lines = (this.#line + this.#decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r(?!$)/)
    this.#line = lines.pop()!
    for (const line of lines) this.#take(line)
    return this.#answered
  }

  #take(line: string): void {
    if (line === '') {
      if (this.#data.length > 0) this.#message(this.#data.join('\n'))
      this.#data = []
    } else if (line.startsWith('data:')) {
      this.#data.push(line.slice(line.startsWith('data: ') ? 6 : 5))
    }
  }

  #message(text: string): void {
    let message: Json
    try {
      message = JSON.parse(text) as Json
    } catch {
      return // not a message: the answer, if it was one, stays away, and its call is in doubt
    }
    this.messages.push(message)
    if (this.#id === null || !isJsonObject(message) || message.id !== this.#id) return
    if ('result' in message || 'error' in message) this.#answered = true
  }
}
