import type { BrakeFinding } from '../controller/domain/brakes.ts'
import { FibricError } from '../controller/domain/errors.ts'
import type { Digest } from '../controller/domain/ids.ts'
import type { ResourceContent } from '../controller/domain/resource.ts'
import type { Scope } from '../controller/domain/scope.ts'
import type { Door } from '../controller/door/door.ts'
import type { Applied } from '../controller/operations/apply.ts'
import { readBundle } from '../controller/operations/bundle.ts'
import { appliedFrom, type PlanObject, planFrom } from '../controller/operations/objects.ts'
import type { Planned } from '../controller/operations/plan.ts'

/** A plan that a server made: what the views need of one, and the file that carries it out. */
export interface RemotePlan extends Pick<Planned, 'plan' | 'contents' | 'brakes'> {
  readonly json: object
  /** The signed plan file, in base64. */
  readonly file: string
}

export interface Wanted {
  readonly directory: string
  readonly ref: string | null
  readonly scope: Omit<Scope, 'broken'>
  readonly destroy?: boolean
  readonly refreshOnly?: boolean
  readonly heal?: boolean
  readonly retry?: readonly string[]
}

type Answered = PlanObject & {
  readonly file: string
  readonly contents: { readonly [digest: string]: ResourceContent }
  readonly diagnostics: unknown
}

/** Sends the repository to a server to be planned. A key of one tenant may send the folder of that tenant alone. */
export async function planOver(door: Door, wanted: Wanted): Promise<RemotePlan> {
  const { slug } = await door.ask<{ slug: string }>('GET', '/v1/tenant')
  const below = slug === '_platform' ? '' : `tenants/${slug}/`
  const { slug: tenant, targets, labels } = wanted.scope
  const {
    file,
    contents,
    diagnostics: _diagnostics,
    ...json
  } = await door.ask<Answered>('POST', '/v1/config/plan', {
    body: {
      files: await readBundle(wanted.directory, wanted.ref, below),
      ...(tenant !== null && { tenant }),
      targets,
      labels,
      destroy: wanted.destroy ?? false,
      refresh_only: wanted.refreshOnly ?? false,
      retry: wanted.retry ?? [],
      heal: wanted.heal ?? false,
      save: true,
      contents: true,
    },
  })
  const at = (digest: Digest | null): ResourceContent | null => (digest === null ? null : (contents[digest] ?? null))
  return {
    plan: planFrom(json),
    contents: ({ digestBefore, digestAfter }) => ({ before: at(digestBefore), after: at(digestAfter) }),
    brakes: json.brakes as readonly BrakeFinding[],
    json,
    file,
  }
}

/** A plan file as the server that signed it reads it. */
export async function readPlanOver(door: Door, bytes: Buffer): Promise<{ plan: Planned['plan']; json: object }> {
  const body = { plan_file: bytes.toString('base64') }
  const answer = await door.ask<Answered>('POST', '/v1/config/plan/read', { body })
  const { file: _file, diagnostics: _diagnostics, ...json } = answer
  return { plan: planFrom(json), json }
}

/** Has a server carry out a plan file; an apply that wants to be asked again says so with `PLAN_STALE`. */
export async function applyOver(door: Door, file: string, plan: Planned['plan'], confirmDeletes: number | null) {
  const body = { plan_file: file, ...(confirmDeletes !== null && { confirm_deletes: confirmDeletes }) }
  const json = await door.ask<Parameters<typeof appliedFrom>[1]>('POST', '/v1/config/apply', { body })
  return { applied: appliedFrom(plan, json), json }
}

/** Plans, asks, applies; once more where somebody else applied in between. */
export async function planAndApplyOver(
  door: Door,
  wanted: Wanted,
  confirmDeletes: number | null,
  ask: (planned: RemotePlan) => Promise<boolean>,
): Promise<{ applied: Applied; json: object } | null> {
  for (let again = false, agreed = ''; ; again = true) {
    const planned = await planOver(door, wanted)
    const { plan } = planned
    if (plan.changes.length > 0 && plan.id !== agreed && !(await ask(planned))) return null
    agreed = plan.id
    try {
      return await applyOver(door, planned.file, plan, confirmDeletes)
    } catch (error) {
      const moved = error instanceof FibricError && ['PLAN_STALE', 'GENESIS_CLOSED'].includes(error.code)
      if (!moved || again) throw error
      process.stderr.write(`${error.message}; planning again\n`)
    }
  }
}
