/**
 * Names one request through every attempt at it: what it makes takes its id from here, so that a request whose process
 * died half way makes it once.
 */
export interface Once {
  /** 64 hexadecimal digits. */
  readonly id: string
  /** When it was first asked. */
  readonly at: string
}
