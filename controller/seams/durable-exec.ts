import type { TenantId } from '../domain/ids.ts'
import type { Json } from '../domain/json.ts'

/**
 * Runs something at most once, whatever is killed.
 *
 * Promised by every implementation, and shown by `test/seams/durable-exec.conformance.ts`:
 * - `fn` runs at most once per key of a domain, by however many processes it is asked for at once.
 * - Once it resolved and `once` answered, every later call gets the same result, and `fn` is not run.
 * - An attempt that began and whose end nobody knows is in doubt for ever: nobody runs it again under that key.
 * - `fn` that throws `NotDone` certainly did nothing: the key is free again. Whatever else it throws leaves it in doubt.
 *
 * It wraps a model call. The other thing that may happen once only, an effect, has the same promise from the executor:
 * its claim is the beginning, its settlement the end, its fence and effect class say more about the time between than a
 * key could (ADR "An effect's once is the executor's claim").
 */
export interface DurableExec {
  once(place: OncePlace, fn: () => Promise<Json>): Promise<OnceResult>
}

export interface OncePlace {
  readonly tenantId: TenantId
  readonly resellerId: string | null
  /** Unique in its domain: what is to happen once. */
  readonly key: string
}

export type OnceResult =
  | { readonly kind: 'done'; readonly result: Json; readonly replayed: boolean }
  /** Somebody began, a while ago or just now, and has not said how it ended. */
  | { readonly kind: 'in-doubt'; readonly beganAt: string }

/** Thrown by `fn` to say that nothing happened: it may be tried again. */
export class NotDone extends Error {}
