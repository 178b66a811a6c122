import type { JsonObject } from '../../domain/json.ts'
import type { EffectToken } from '../../executor/effects/connector.ts'

/** What stands between a call and its first byte. */
export interface CallGate {
  /** Null for a read. */
  readonly token: EffectToken | null
  /** A `_platform` Connector declares the call a read, and a person vouches for it. */
  readonly vouched: boolean
  /** In the tick that writes: why nothing may be written, or null. */
  readonly mayWrite: () => string | null
  /** The call leaves now: from here on it may have happened. */
  readonly leaving: () => void
}

/** Nothing was written: the call certainly did not happen. */
export class Unwritten extends Error {}

/** The gates of calls under way, by the params object that travels from the call to the transport. */
export class Gates {
  readonly #gates = new WeakMap<object, CallGate>()

  set(params: JsonObject, gate: CallGate): void {
    this.#gates.set(params, gate)
  }

  /** The gate of a message; null for one of the protocol itself. A call that came round the gates is not let out. */
  of(message: object): CallGate | null {
    const { method, params } = message as { method?: unknown; params?: object }
    if (method !== 'tools/call') return null
    const gate = params && this.#gates.get(params)
    if (!gate) throw new Unwritten('a call without a gate')
    return gate
  }
}
