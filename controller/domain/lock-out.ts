import type { BrakeFinding } from './brakes.ts'
import { noFacts } from './counters.ts'
import { evaluate } from './gate.ts'
import type { Principal } from './identity.ts'
import { type Address, platformSlug, platformTenantId, type Slug } from './ids.ts'
import type { People, Person } from './people.ts'
import type { Pools } from './pools.ts'
import type { GateAction, Verdict } from './verdict.ts'

/** The rules and the people of a deployment at one moment. */
export interface Standing {
  readonly pools: Pools
  readonly people: People
}

/**
 * Brakes on plans that would leave nobody able to go on: no way to change a `_platform` TrustPolicy, no administrator,
 * or a hold that nobody could satisfy any more. What was so before the plan is not the plan's fault, but for a lock-out
 * at genesis, where there is no before.
 */
export function judgeLockOut(before: Standing | null, after: Standing, nowMs: number): BrakeFinding[] {
  return [...lockedOut(before, after, nowMs), ...lastAdmin(before, after), ...lastApprovers(before, after)]
}

function lockedOut(before: Standing | null, after: Standing, nowMs: number): BrakeFinding[] {
  const why = whyLockedOut(after, nowMs)
  if (why === null || (before && whyLockedOut(before, nowMs) !== null)) return []
  return [
    {
      code: 'LOCKED_OUT',
      slug: platformSlug,
      message: `after this plan nobody could change a TrustPolicy of \`_platform\`: ${why}`,
      addresses: [],
      confirmable: true,
    },
  ]
}

/** Null when a person could still change the rules; else what stands in the way. */
function whyLockedOut(standing: Standing, nowMs: number): string | null {
  const verdict = verdictOnRules(standing, nowMs)
  if (verdict.decision === 'BLOCK') return verdict.reasons[0] ?? 'no rule lets it through'
  for (const hold of verdict.holds) {
    if (hold.mode !== 'hold' || hold.approvers.role === null) continue
    const holders = standing.people.holders(platformSlug, hold.approvers.role)
    if (holders.length < hold.approvers.quorum) {
      return (
        `rule \`${hold.rule}\` wants ${hold.approvers.quorum} approvals of role \`${hold.approvers.role}\`, ` +
        `which ${holders.length} users hold`
      )
    }
  }
  return null
}

/** What the rules say of the change that could repair anything: one that widens, by a person. */
function verdictOnRules(standing: Standing, nowMs: number): Verdict {
  const address = `${platformSlug}/TrustPolicy/any` as Address
  const proposer: Principal = { kind: 'person', name: 'anyone' }
  const action: GateAction = {
    capability: 'config.trustpolicy.update',
    connection: 'fibric',
    entity: address,
    value: null,
    tier: 1,
    args: {},
    proposer,
    operator: null,
    change: 'widens',
  }
  const tenant = { ...standing.pools.factsOf(platformSlug), id: platformTenantId }
  return evaluate(standing.pools.ruleSetFor(address), action, { event: null, tenant, now: nowMs }, noFacts)
}

function lastAdmin(before: Standing | null, after: Standing): BrakeFinding[] {
  const had = before?.people.all.filter((person) => person.superAdmin) ?? []
  if (had.length === 0 || after.people.all.some((person) => person.superAdmin)) return []
  return [
    {
      code: 'LAST_ADMIN',
      slug: platformSlug,
      message: 'this plan removes the last User with `superAdmin: true`',
      addresses: had.map((person) => person.address),
      confirmable: true,
    },
  ]
}

function lastApprovers(before: Standing | null, after: Standing): BrakeFinding[] {
  if (!before) return []
  const findings: BrakeFinding[] = []
  for (const slug of new Set(before.people.all.map((person) => person.slug))) {
    for (const rule of after.pools.ownRules(slug)) {
      const approvers = rule.rule.alert?.approvers
      if (rule.rule.decision !== 'ALERT' || rule.stage !== 'enforce' || !approvers) continue
      if (rule.rule.alert?.mode === 'notify') continue
      const quorum = approvers.quorum ?? 1
      const had = before.people.holders(slug, approvers.role)
      const left = after.people.holders(slug, approvers.role)
      if (had.length < quorum || left.length >= quorum) continue
      findings.push(lastApprover(slug, rule.ruleId, approvers.role, quorum, had, left))
    }
  }
  return findings
}

function lastApprover(
  slug: Slug,
  rule: string,
  role: string,
  quorum: number,
  had: readonly Person[],
  left: readonly Person[],
): BrakeFinding {
  const gone = had.filter((person) => !left.some((other) => other.address === person.address))
  return {
    code: 'LAST_APPROVER',
    slug,
    message:
      `rule \`${rule}\` of \`${slug}\` wants ${quorum} approvals of role \`${role}\`, ` +
      `which ${left.length} users would still hold`,
    addresses: gone.map((person) => person.address),
    confirmable: true,
  }
}
