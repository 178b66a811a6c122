import type { TenantId } from '../domain/ids.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import type { PollCursor, PollRules } from '../domain/poll.ts'

/** One event of `kind: poll` of an applied connection. */
export interface Poll extends PollRules {
  readonly tenantId: TenantId
  readonly slug: string
  /** Stays when the connection is renamed: cursors are by it. */
  readonly connectionId: string
  /** Its name: the source of what the poll brings. */
  readonly connection: string
  readonly eventType: string
  readonly everyMs: number
  readonly pagesMax: number
  readonly config: JsonObject
  /** The event as its Connector describes it. */
  readonly event: JsonObject
}

/** What a provider answered to one request of a poll. */
export type PollAnswer =
  | {
      readonly kind: 'answered'
      readonly headers: { readonly [name: string]: string }
      readonly status: number
      readonly body: Buffer
      /** Takes the credential out of what was answered. */
      readonly redact: (value: Json) => Json
    }
  | {
      readonly kind: 'failed'
      readonly reason: string
      readonly status: number | null
      readonly retryAfterMs: number | null
      /** The page that was remembered makes no request: only a pass from its beginning can go on. */
      readonly pageUnusable: boolean
    }

/** Where polls go. The connector runtime is one: requests leave by its read path and the egress broker. */
export interface PollSource {
  /** The polls of every connection in force. */
  polls(): Promise<readonly Poll[]>
  ask(
    poll: Poll,
    at: { readonly cursor: PollCursor | null; readonly next: string | null },
    signal: AbortSignal,
  ): Promise<PollAnswer>
}
