import type { Diagnostic } from '../../schemas/index.ts'
import { FibricError } from '../domain/errors.ts'
import { type Address, platformSlug, type Slug } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Engine } from '../engine.ts'
import type { Bundle } from '../operations/bundle.ts'
import { visibleDomains } from '../operations/domains.ts'
import { planHeal } from '../operations/drift.ts'
import { invalidConfiguration, type Planned, plan } from '../operations/plan.ts'
import { withBundle } from './bundle.ts'
import { ownSlug } from './parameters.ts'

/** What a request to plan may say; the body of `POST /v1/config/plan`, without its files. */
interface Wanted {
  readonly files?: Bundle
  readonly tenant?: string
  readonly targets?: readonly string[]
  readonly labels?: { readonly [key: string]: string }
  readonly destroy?: boolean
  readonly refresh_only?: boolean
  readonly heal?: boolean
  readonly retry?: readonly string[]
}

/** Plans a bundle, or the folder the server follows, and does something with the plan before the bundle is gone. */
export async function withPlan<T>(
  engine: Engine,
  directory: string | null,
  body: JsonObject,
  work: (planned: Planned) => Promise<T>,
): Promise<T> {
  const wanted = body as Wanted
  const own = await ownSlug(engine)
  const made = async (from: string): Promise<T> => work(await planOf(engine, from, wanted, own))
  if (wanted.files !== undefined) return withBundle(engine, wanted.files, own, made)
  if (directory !== null) return made(directory)
  throw new FibricError('VALIDATION_FAILED', 'this server follows no folder, so the request has to bring its files', {
    hint: 'send files as {"tenants/acme/tenant.yaml": "…"}',
  })
}

async function planOf(engine: Engine, directory: string, wanted: Wanted, own: Slug | null): Promise<Planned> {
  const slug = own ?? (wanted.tenant as Slug | undefined) ?? null
  if (own !== null && wanted.tenant !== undefined) await visibleDomains(engine, wanted.tenant)
  const scope = { slug, targets: (wanted.targets ?? []) as Address[], labels: wanted.labels ?? {} }
  if (wanted.heal === true) {
    refuseBesideHeal(wanted)
    return planHeal(engine, directory, scope)
  }
  const planned = await plan(engine, {
    directory,
    ref: null,
    scope,
    destroy: wanted.destroy ?? false,
    refreshOnly: wanted.refresh_only ?? false,
    retry: (wanted.retry ?? []) as Address[],
    // What is wrong in another tenant's folder is no reason to refuse, and none of the caller's business.
    tolerant: own !== null,
  })
  if (own === null) return planned
  const { domains } = planned.desired.repository
  if (domains.some((domain) => domain.slug === platformSlug && domain.broken)) {
    throw new FibricError('STATE_CONFLICT', 'the configuration of the platform cannot be read right now')
  }
  const diagnostics = ownDiagnostics(planned.diagnostics, own)
  if (diagnostics.some((diagnostic) => diagnostic.severity === 'error')) throw invalidConfiguration(diagnostics)
  return { ...planned, diagnostics }
}

function refuseBesideHeal({ destroy, refresh_only: refreshOnly, retry }: Wanted): void {
  if (!destroy && !refreshOnly && !retry?.length) return
  throw new FibricError('VALIDATION_FAILED', 'a repair changes nothing else: `heal` stands alone', {
    hint: 'leave out destroy, refresh_only and retry',
  })
}

/** Problems in the own folder. One that it has with another tenant's says that much, and not whose. */
function ownDiagnostics(diagnostics: readonly Diagnostic[], own: Slug): Diagnostic[] {
  const isOwn = (path: string): boolean => path.startsWith(`tenants/${own}/`)
  return diagnostics
    .filter((diagnostic) => isOwn(diagnostic.path))
    .map((diagnostic) => {
      if (diagnostic.related.every(({ path }) => isOwn(path) || path.startsWith(`tenants/${platformSlug}/`)))
        return diagnostic
      return { ...diagnostic, message: 'this is taken outside of this tenant', hint: null, related: [] }
    })
}
