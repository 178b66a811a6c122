import { kindOf, slugOf } from '../../domain/address.ts'
import { digestJson } from '../../domain/digest.ts'
import { FibricError } from '../../domain/errors.ts'
import { type Digest, platformSlug, platformTenantId, type ReceiptId } from '../../domain/ids.ts'
import type { Plan } from '../../domain/plan.ts'
import { controlEntry } from '../../domain/receipt.ts'
import { closeGenesis, type DeploymentRow, lockDeployment, openGenesis } from '../../store/deployment.ts'
import { appendEntries } from '../../store/ledger.ts'
import type { Transaction } from '../../store/tenancy.ts'
import { requireScope } from '../../tenancy/actor.ts'
import { newId, type Run } from './run.ts'

export const genesisLifetimeMs = 24 * 60 * 60 * 1000

/** Whether `bootstrap` still speaks: until the first plan is carried out, and for a day at the longest. */
export function isGenesis(deployment: DeploymentRow, nowMs: number): boolean {
  if (deployment.genesis_state !== 'open') return deployment.genesis_state === 'awaited'
  return nowMs < Date.parse(deployment.genesis_opened_at!) + genesisLifetimeMs
}

/**
 * Refuses what was planned under `bootstrap` once it speaks no more. The deployment's row stays locked until the
 * transaction ends, so genesis never closes under a batch.
 */
export async function requireGenesis(tx: Transaction, nowMs: number): Promise<DeploymentRow> {
  const deployment = await lockDeployment(tx)
  if (isGenesis(deployment, nowMs)) return deployment
  throw new FibricError('GENESIS_CLOSED', 'this plan was made for genesis, which is over', {
    hint: 'plan again: the rules in force will gate it',
    details: { genesisPlan: deployment.genesis_plan },
  })
}

/**
 * Opens genesis with the first plan, whose id is kept, or lets its second attempt in. Another plan has to leave the
 * first one's `_platform` policies as they were, unless whoever applies holds the admin key.
 */
export async function enterGenesis(run: Run, plan: Plan, policies: Digest): Promise<void> {
  requireScope(run.actor, 'config:write')
  const now = run.clock()
  await run.database.asWorker([platformTenantId], async (tx) => {
    const deployment = await requireGenesis(tx, now.getTime())
    const confirmed = run.actor.keyId !== null && run.actor.tenantId === null
    if (deployment.genesis_policies !== null && deployment.genesis_policies !== policies && !confirmed) {
      throw new FibricError(
        'GENESIS_OTHER_PLAN',
        'the first plan is not finished, and this one has other `_platform` policies',
        {
          hint: 'apply the first plan again, or confirm this one with the admin key: FIBRIC_TOKEN=… fibric apply',
          details: { genesisPlan: deployment.genesis_plan },
        },
      )
    }
    const first = deployment.genesis_plan ?? plan.id
    await openGenesis(tx, first, confirmed ? policies : (deployment.genesis_policies ?? policies), now.toISOString())
  })
}

/** Closes genesis for ever, with an entry that says who did it. */
export async function leaveGenesis(run: Run): Promise<void> {
  const now = run.clock()
  await run.database.asWorker([platformTenantId], async (tx) => {
    const { genesis_plan } = await lockDeployment(tx)
    if (!(await closeGenesis(tx, now.toISOString()))) return
    const id = newId<ReceiptId>('receipt', now)
    const entry = controlEntry(id, 'control.genesis.close', {
      tenantId: platformTenantId,
      person: run.actor.person,
      at: now.toISOString(),
      details: { plan: genesis_plan },
    })
    await appendEntries(tx, platformTenantId, null, now.toISOString(), [entry])
  })
}

/** Digest over the `_platform` policies as they would stand after a plan. */
export function platformPolicies(
  applied: readonly { readonly address: string; readonly digest: Digest }[],
  changes: Plan['changes'],
): Digest {
  const policies = new Map<string, Digest>()
  for (const { address, digest } of applied) if (isPlatformPolicy(address)) policies.set(address, digest)
  for (const { address, addressBefore, digestAfter } of changes) {
    if (addressBefore) policies.delete(addressBefore)
    if (!isPlatformPolicy(address)) continue
    if (digestAfter === null) policies.delete(address)
    else policies.set(address, digestAfter)
  }
  return digestJson([...policies].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function isPlatformPolicy(address: string): boolean {
  const typed = address as Plan['changes'][number]['address']
  return slugOf(typed) === platformSlug && kindOf(typed) === 'TrustPolicy'
}
