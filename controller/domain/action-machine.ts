/**
 * The life of an action: the one place that says which state may follow which.
 *
 * planned ─┬─> rejected | skipped | blocked | deduplicated | superseded | cancelled
 *          ├─> held ──> vetoed | expired | superseded | cancelled, or back to the gate: blocked | intent …
 *          └─> intent ─┬─> applied | failed
 *                      ├─> waiting ──> intent (not done, to be tried again) | failed | cancelled
 *                      └─> unknown ──> reconciling ──> applied | failed | manual ──> applied | failed
 */
export const transitions = {
  planned: {
    reject: 'rejected',
    skip: 'skipped',
    block: 'blocked',
    deduplicate: 'deduplicated',
    hold: 'held',
    intend: 'intent',
    supersede: 'superseded',
    cancel: 'cancelled',
  },
  held: {
    reject: 'rejected',
    skip: 'skipped',
    block: 'blocked',
    deduplicate: 'deduplicated',
    // The rules found at approval time may ask for more: the hold stays, with its expiry.
    hold: 'held',
    intend: 'intent',
    veto: 'vetoed',
    expire: 'expired',
    supersede: 'superseded',
    cancel: 'cancelled',
  },
  intent: { succeed: 'applied', fail: 'failed', postpone: 'waiting', doubt: 'unknown' },
  waiting: { intend: 'intent', block: 'blocked', hold: 'held', fail: 'failed', cancel: 'cancelled' },
  unknown: { reconcile: 'reconciling' },
  reconciling: { succeed: 'applied', fail: 'failed', doubt: 'unknown', escalate: 'manual' },
  manual: { succeed: 'applied', fail: 'failed' },
  rejected: {},
  skipped: {},
  blocked: {},
  deduplicated: {},
  vetoed: {},
  expired: {},
  superseded: {},
  cancelled: {},
  applied: {},
  failed: {},
} as const satisfies Record<string, Record<string, string>>

export type ActionState = keyof typeof transitions
type EventsOf<S extends ActionState> = keyof (typeof transitions)[S]
export type ActionEvent = { [S in ActionState]: EventsOf<S> }[ActionState]

/** The state after `event`, or null when the machine knows no such step: the caller must treat that as a refusal. */
export function nextState(state: ActionState, event: ActionEvent): ActionState | null {
  const steps: Partial<Record<ActionEvent, ActionState>> = transitions[state]
  return steps[event] ?? null
}

/** In a terminal state an action has its one receipt and nothing about it changes again. */
export function isTerminal(state: ActionState): boolean {
  return Object.keys(transitions[state]).length === 0
}

/** States in which an action's idempotency key is claimed, so that an equal proposal is a DEDUP. */
export function claimsKey(state: ActionState): boolean {
  return state === 'held' || state === 'intent' || state === 'waiting' || inDoubt(state) || state === 'applied'
}

/** Somebody or some rule said no: the same wish is not asked again while the rules stay as they are. */
export function isRefusal(state: ActionState): boolean {
  return state === 'blocked' || state === 'vetoed' || state === 'expired'
}

/** The effect may or may not have happened, and evidence has to say which. */
export function inDoubt(state: ActionState): boolean {
  return state === 'unknown' || state === 'reconciling' || state === 'manual'
}
