import { engineVersion } from '../domain/engine.ts'
import { platformTenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { type DeploymentRow, readDeployment } from '../store/deployment.ts'
import { countUnseenAlerts } from './alerts.ts'
import { listWaiting } from './plans.ts'
import { listState } from './state.ts'

export interface Status {
  readonly deployment: string
  readonly engine: string
  readonly genesis: string
  readonly resources: number
  readonly drifted: number
  readonly waiting: number
  /** Raised, and not acknowledged. */
  readonly alerts: number
  readonly last_applied_at: string | null
}

/** What is applied in the domains in sight, and what waits there. */
export async function readStatus(engine: Engine): Promise<Status> {
  const objects = await listState(engine, { tenant: null })
  const waiting = await listWaiting(engine, null)
  const isDrifted = (object: (typeof objects)[number]): boolean =>
    object.conditions.some(({ type, status }) => type === 'Drifted' && status === 'True')
  const row = await readDeploymentNow(engine)
  return {
    deployment: row.deployment_id,
    engine: engineVersion,
    genesis: row.genesis_state,
    resources: objects.length,
    drifted: objects.filter(isDrifted).length,
    waiting: waiting.length,
    alerts: await countUnseenAlerts(engine),
    last_applied_at: objects.reduce<string | null>((last, { appliedAt }) => laterOf(last, appliedAt), null),
  }
}

async function readDeploymentNow(engine: Engine): Promise<DeploymentRow> {
  // The row the engine was opened with is as old as the process.
  const row = await engine.database.asTenant(platformTenantId, readDeployment, { access: 'read only' })
  return row ?? engine.deployment.row
}

function laterOf(left: string | null, right: string): string {
  return left !== null && left > right ? left : right
}
