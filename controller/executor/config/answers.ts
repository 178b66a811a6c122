import type { Approval, Separated } from '../../domain/approvals.ts'
import { FibricError } from '../../domain/errors.ts'
import type { Principal } from '../../domain/identity.ts'
import type { TenantId } from '../../domain/ids.ts'
import { isJsonObject } from '../../domain/json.ts'
import type { Hold } from '../../domain/verdict.ts'
import type { ActionRow } from '../../store/actions.ts'
import type { ApprovalRow } from '../../store/approvals.ts'
import type { Item, RulesInForce } from './run.ts'

/** The approvals given for an action, with what the people's roles let them do now. */
export function approvalsNow(rows: readonly ApprovalRow[], holds: readonly Hold[], rules: RulesInForce): Approval[] {
  return rows
    .filter((row) => row.decision === 'approve')
    .map((row) => approvalOf(row.person, row.signature !== null, holds, rules))
}

/** What a person's word is worth against these holds. The local identity holds every role and is one person. */
export function approvalOf(person: string, signed: boolean, holds: readonly Hold[], rules: RulesInForce): Approval {
  const roles: { [domain: TenantId]: string[] } = {}
  const approvesIn: TenantId[] = []
  if (person.startsWith('local:')) {
    for (const hold of holds) {
      approvesIn.push(hold.owner)
      if (hold.approvers.role !== null) roles[hold.owner] = [...(roles[hold.owner] ?? []), hold.approvers.role]
    }
    return { person, roles, approvesIn, signed }
  }
  const user = rules.people.get(person)
  if (user) {
    roles[user.owner] = [...user.roles]
    if (rules.people.approves(user)) approvesIn.push(user.owner)
  }
  return { person, roles, approvesIn, signed }
}

/** Who may not approve a change: who proposed it, and everyone who wrote it. */
export function separatedFrom(item: Pick<Item, 'change' | 'existing'>): Separated {
  const { authors } = item.change
  const signers = authors.flatMap((author) => (author.signer ? [author.signer] : []))
  return {
    proposer: item.existing ? proposerOf(item.existing).name : null,
    authors: authors.map((author) => author.person),
    signers: signers.length === authors.length ? signers : null,
  }
}

/** Who proposed an action, as the gate was told when it was proposed. */
export function proposerOf(action: Pick<ActionRow, 'gate_input'>): Principal {
  const input = action.gate_input?.action
  const proposer = isJsonObject(input) ? input.proposer : null
  if (!isJsonObject(proposer)) throw new TypeError('an action was stored without its proposer')
  return proposer as unknown as Principal
}

export function noLongerWaiting(action: Pick<ActionRow, 'action_id' | 'state'>): FibricError {
  return new FibricError('STATE_CONFLICT', `\`${action.action_id}\` does not wait any more: it is ${action.state}`, {
    hint: `see what became of it: fibric plans show ${action.action_id}`,
  })
}

/** One veto ends an action, also while it is noted and not yet acted on. */
export function vetoed(veto: Pick<ApprovalRow, 'action_id' | 'person'>): FibricError {
  return new FibricError('STATE_CONFLICT', `\`${veto.action_id}\` was vetoed by ${veto.person}`, {
    hint: `see what became of it: fibric plans show ${veto.action_id}`,
  })
}
