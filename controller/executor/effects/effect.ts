import type { Principal } from '../../domain/identity.ts'
import type { ActionId, Address, Digest, ReceiptId } from '../../domain/ids.ts'
import type { Json } from '../../domain/json.ts'
import type { EffectRow, PlanFacts } from '../../store/effects.ts'
import type { AttemptResult } from './connector.ts'

/** How an attempt of unknown outcome is recovered. */
export type EffectClass = 'read' | 'idempotent' | 'keyed' | 'conditional' | 'queryable' | 'blind'

/** What the executor computed of an action when it was proposed: nothing of it comes from the proposer but `key`. */
export interface EffectFacts {
  readonly connection: Address | null
  readonly connector: Address | null
  readonly connectorDigest: Digest | null
  readonly connectionDigest: Digest | null
  readonly requestDigest: Digest | null
  readonly method: string | null
  readonly value: { readonly amount: string; readonly currency: string | null } | null
  readonly argsDigest: Digest
  /** Name of the operator that proposed it. */
  readonly operator: string | null
  readonly runId: string | null
  /** Whether the author of the operator chose the key, and how long it binds then. */
  readonly authored: boolean
  readonly withinMs: number | null
  readonly class: EffectClass
  readonly keyWindowMs: number
  readonly retryForMs: number
  readonly timeoutMs: number
  /** Whether later actions on the entity pass one in doubt (`onUnknown: continue`). */
  readonly continues: boolean
  /** Whether another action of its plan waits for it. */
  readonly followed: boolean
  readonly model: string | null
  /** Receipt of the action this one undoes. */
  readonly compensates: ReceiptId | null
}

/** The attempt under way, or the last one. */
export interface AttemptFacts {
  /** How many were sent by then, this one included. */
  readonly number: number
  /** How often the provider was asked what became of it. */
  readonly asked: number
  readonly resend: boolean
  /** When the first attempt of the present doubt or retry began, in epoch milliseconds. */
  readonly firstAtMs: number
  readonly ifMatch: string | null
  /** What was counted for it, to be given back when it turns out not to have happened. */
  readonly reserved: { readonly minute: number; readonly entity: boolean } | null
  readonly status: number | null
  readonly reason: string | null
  readonly responseDigest: Digest | null
  readonly credential: { readonly name: string; readonly version: number } | null
  readonly outputInvalid: boolean
  /** The answer, where undoing the action will need it. */
  readonly body?: Json
  /** What came in after the action had been taken away from whoever waited for it: evidence for its present owner. */
  readonly late?: LateAnswer
}

export interface LateAnswer {
  readonly kind: AttemptResult['kind']
  readonly reason: string
  /** Of which attempt. */
  readonly number: number
  /** What a receipt says of the attempt it settles. */
  readonly evidence: Pick<AttemptFacts, 'status' | 'responseDigest' | 'credential' | 'outputInvalid' | 'body'>
}

/** An action of an effect, its JSON read. */
export interface Effect {
  readonly row: EffectRow & PlanFacts
  readonly facts: EffectFacts
  readonly attempt: AttemptFacts | null
}

export function effectOf(row: EffectRow & PlanFacts): Effect {
  return {
    row,
    facts: row.effect as unknown as EffectFacts,
    attempt: row.attempt as unknown as AttemptFacts | null,
  }
}

export function proposerOfPlan(row: Pick<PlanFacts, 'proposer'>): Principal {
  return row.proposer as unknown as Principal
}

/** The entity a step takes: its own, or one of its own making where later actions may pass it while it is in doubt. */
export function leasedEntity({ row, facts }: Pick<Effect, 'row' | 'facts'>): string {
  const inDoubt = row.state === 'unknown' || row.state === 'reconciling' || row.state === 'manual'
  return facts.continues && inDoubt ? privateEntity(row.action_id) : row.entity_key
}

export function privateEntity(id: ActionId): string {
  return `action:${id}`
}
