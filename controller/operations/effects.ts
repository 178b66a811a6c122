import { setTimeout as sleep } from 'node:timers/promises'
import type { ActionId, TenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { Executor } from '../executor/effects/executor.ts'
import type { ActionRow } from '../store/actions.ts'
import { enqueueEffects } from '../store/effect-queue.ts'
import { readEffects } from '../store/effects.ts'
import { connectorsOf } from './connections.ts'

/** How long a controller that may be running is given to take an action on before the command does it itself. */
const controllerMs = 600
const lookMs = 50

/**
 * Has an action carried out before this returns: by the controller that runs beside, which sees it in the queue, else by this
 * process. Answers what it came to so far.
 */
export async function carryOutEffects(
  engine: Engine,
  tenant: TenantId,
  actions: readonly ActionId[],
): Promise<ActionRow[]> {
  await engine.database.asWorker([tenant], (tx) => enqueueEffects(tx, tenant, actions))
  const before = await readNow(engine, tenant, actions)
  for (let waitedMs = 0; waitedMs < controllerMs; waitedMs += lookMs) {
    const now = await readNow(engine, tenant, actions)
    if (now.every((row, index) => hasMoved(before[index]!, row))) return now
    await sleep(lookMs)
  }
  const executor = new Executor({
    database: engine.database,
    connector: connectorsOf(engine),
    clock: engine.clock,
    settings: { idleMs: 20 },
  })
  await executor.drain({ tenants: [tenant], actions })
  return readNow(engine, tenant, actions)
}

async function readNow(engine: Engine, tenant: TenantId, actions: readonly ActionId[]): Promise<ActionRow[]> {
  const rows = await engine.database.asWorker([tenant], (tx) => readEffects(tx, [tenant], actions), {
    access: 'read only',
  })
  const byId = new Map(rows.map((row) => [row.action_id, row]))
  return actions.flatMap((id) => byId.get(id) ?? [])
}

/** It ended, or was judged again and waits on. */
function hasMoved(before: ActionRow, now: ActionRow): boolean {
  if (now.state === 'intent' || now.state === 'reconciling') return false
  return now.state !== before.state || now.state_at !== before.state_at
}
