import type { TenantId } from './ids.ts'
import type { Hold } from './verdict.ts'

/** One person's approval, and what their roles let them do now. */
export interface Approval {
  /** How separation of duties knows the person. */
  readonly person: string
  /** Roles the person holds, by domain. */
  readonly roles: { readonly [domain: TenantId]: readonly string[] }
  /** Domains in which some role of theirs has the verb `approve`. */
  readonly approvesIn: readonly TenantId[]
  readonly signed: boolean
}

/** Whose approval may not count, as far as a rule says so. Null: nobody knows who it was, so nobody is told apart. */
export interface Separated {
  readonly proposer: string | null
  readonly authors: readonly string[]
  /** Verified signers of what is changed; null when part of it is not signed. */
  readonly signers: readonly string[] | null
}

export interface Waiting {
  readonly rule: string
  readonly policy: string
  /** The domain whose role approves. */
  readonly owner: TenantId
  readonly role: string | null
  readonly have: number
  readonly need: number
  /** Said where no further approval can help. */
  readonly because: string | null
}

/**
 * Whether every hold has the approvals it asks for. Each is met by its own approvers; a person counts once in each, and
 * only while they hold its role in the domain that owns the rule. Notifications ask nobody.
 */
export function holdsSatisfied(
  holds: readonly Hold[],
  approvals: readonly Approval[],
  separated: Separated,
): { satisfied: boolean; waiting: Waiting[] } {
  const waiting = holds.flatMap((hold) => {
    if (hold.mode === 'notify') return []
    const because = unmeetable(hold, separated)
    const counting = approvals.filter((approval) => countsFor(hold, approval, separated))
    const have = new Set(counting.map((approval) => approval.person)).size
    const { role, quorum: need } = hold.approvers
    if (have >= need && because === null) return []
    return [{ rule: hold.rule, policy: hold.policy, owner: hold.owner, role, have, need, because }]
  })
  return { satisfied: waiting.length === 0, waiting }
}

/** Whether an approval by this person would count for the hold: the question before approving. */
export function countsFor(hold: Hold, approval: Approval, separated: Separated): boolean {
  if (hold.signed && !approval.signed) return false
  return mayDecide(hold, approval) && !isSeparated(hold, approval.person, separated)
}

/** Whether the person may veto: any approver of a hold may, the author of the change too. */
export function mayVeto(holds: readonly Hold[], approval: Approval): boolean {
  return holds.some((hold) => hold.mode === 'hold' && mayDecide(hold, approval))
}

/** When the wait ends: the shortest of the holds, in milliseconds from its beginning; `defaultMs` is the deployment's. */
export function holdExpiryMs(holds: readonly Hold[], defaultMs: number): number {
  const waits = holds.filter((hold) => hold.mode === 'hold').map((hold) => hold.expires_in_ms ?? defaultMs)
  return waits.length === 0 ? defaultMs : Math.min(...waits)
}

function mayDecide({ approvers, owner }: Hold, { roles, approvesIn }: Approval): boolean {
  if (approvers.role === null) return approvesIn.includes(owner)
  return roles[owner]?.includes(approvers.role) ?? false
}

function isSeparated(hold: Hold, person: string, { proposer, authors, signers }: Separated): boolean {
  return hold.separate_from.some((whom) => {
    switch (whom) {
      case 'proposer':
        return person === proposer
      case 'author':
        return authors.includes(person)
      case 'signer':
        return signers?.includes(person) ?? true
      default:
        return true
    }
  })
}

function unmeetable(hold: Hold, { signers }: Separated): string | null {
  if (signers === null && hold.separate_from.includes('signer')) return 'the change is not signed'
  return null
}
