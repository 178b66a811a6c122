import type { BrakeFinding } from '../domain/brakes.ts'
import type { Slug } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { sequenceLedgers } from '../ledger/sequence.ts'
import { type Applied, applyPlanned } from './apply.ts'
import { type Planned, plan } from './plan.ts'

/** One pass of the loop: what was planned, what became of it, and what was held back. */
export interface Pass {
  readonly planned: Planned
  /** Null when nothing could be proposed: every change waits, was refused, or is held back. */
  readonly applied: Applied | null
  /** Brakes that hold their domain back, so that one tenant's mistake never blocks another. */
  readonly brakes: readonly BrakeFinding[]
}

/**
 * Reads desired and actual and converges, whatever woke it. Domains with invalid files and domains behind a brake are
 * held back; a brake that concerns the deployment holds everything back.
 */
export async function runPass(engine: Engine, directory: string): Promise<Pass> {
  const held = new Set<Slug>()
  const brakes: BrakeFinding[] = []
  for (;;) {
    const planned = await plan(engine, { directory, ref: null, scope: {}, tolerant: true, heldBack: [...held] })
    if (planned.brakes.length === 0) return { planned, applied: await applyWorthwhile(engine, planned), brakes }
    brakes.push(...planned.brakes)
    const slugs = planned.brakes.map((brake) => brake.slug)
    if (slugs.some((slug) => slug === null || held.has(slug))) return { planned, applied: null, brakes }
    for (const slug of slugs) held.add(slug!)
  }
}

/**
 * A pass over what is blocked or held writes nothing, so it is not reported as an application. It is made all the same
 * where something waits or genesis is open: whoever was to go on may have been killed on the way.
 */
async function applyWorthwhile(engine: Engine, planned: Planned): Promise<Applied | null> {
  const { plan, past, actual } = planned
  const proposes = plan.changes.some(({ standing }) => standing.kind === 'proposed')
  const lingers = actual.deployment.genesis_state === 'open' && plan.changes.length === 0
  if (!proposes && !lingers && past.open.length === 0) {
    await sequenceLedgers(engine.database, engine.clock().toISOString())
    return null
  }
  const applied = await applyPlanned(engine, planned, { confirmDeletes: null })
  return applied.outcomes.some(({ outcome }) => !wroteNothing.includes(outcome)) ? applied : null
}

const wroteNothing: readonly string[] = ['waiting', 'settled', 'suspended', 'withheld', 'unchanged']
