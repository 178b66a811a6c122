import type { Principal } from './identity.ts'
import type { Digest, TenantId } from './ids.ts'
import type { Json, JsonObject } from './json.ts'
import type { ChangeClass, CountedBy, Decision, Separation, TenantFacts } from './rules.ts'

export interface GateAction {
  readonly capability: string
  /** Role of the connection; `fibric` for configuration. */
  readonly connection: string
  readonly entity: string
  /** What ceilings and budgets compare; `amount` is a decimal number as text. */
  readonly value: { readonly amount: string; readonly currency: string | null } | null
  readonly tier: 0 | 1 | 2 | 3
  readonly args: Json
  readonly proposer: Principal
  /** Name of the operator that acts; null when none does. */
  readonly operator: string | null
  readonly change: ChangeClass
  /** The model whose answer proposed the action, if one did. */
  readonly model?: string | null
  /** How far that model is trusted; null: unrated. */
  readonly modelRating?: string | null
}

export interface GateEnvelope {
  readonly event: JsonObject | null
  readonly tenant: TenantFacts
  /** Epoch milliseconds. */
  readonly now: number
}

/** Part of a receipt, so in its words: JSON in snake_case, the same for any order of the rules. */
export interface Verdict {
  readonly decision: Decision
  readonly tier: number
  /** The rules that decided. */
  readonly rules: readonly RuleCitation[]
  readonly reasons: readonly string[]
  /** What would have had to differ; for BLOCK and ALERT, at most five. */
  readonly near_misses: readonly NearMiss[]
  /** What rules in stage `shadow` would have said. */
  readonly shadow: readonly ShadowVerdict[]
  readonly policy_digest: Digest
  /** Who has to approve, or be told, before an ALERT runs. */
  readonly holds: readonly Hold[]
  /** The counts that rates and budgets saw. */
  readonly counts: readonly CountSeen[]
}

export interface RuleCitation {
  readonly rule: string
  readonly policy: string
  /** The commit that put the rule in force. */
  readonly commit: string | null
}

export interface NearMiss extends RuleCitation {
  readonly differs: readonly string[]
}

export interface ShadowVerdict extends RuleCitation {
  readonly decision: Decision
}

export interface Hold {
  readonly rule: string
  readonly policy: string
  /** The domain whose roles approve. */
  readonly owner: TenantId
  readonly mode: 'hold' | 'notify'
  /** A null role: anyone whose roles let them approve in the owner's domain. */
  readonly approvers: { readonly role: string | null; readonly quorum: number }
  readonly separate_from: readonly Separation[]
  /** Null: as long as the deployment says. */
  readonly expires_in_ms: number | null
  readonly signed: boolean
}

export interface CountSeen {
  readonly rule: string
  readonly policy: string
  readonly kind: 'rate' | 'budget'
  readonly by: CountedBy
  readonly by_value: string
  readonly window_minutes: number
  /** Actions, or the sum of amounts, in the window before this action. */
  readonly seen: string
  readonly max: string
  readonly currency: string | null
}
