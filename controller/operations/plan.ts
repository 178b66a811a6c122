import { createPublicKey } from 'node:crypto'
import { join } from 'node:path'
import type { Diagnostic } from '../../schemas/index.ts'
import { FibricError } from '../domain/errors.ts'
import type { Slug } from '../domain/ids.ts'
import { decodePlanFile, encodePlanFile, type SavedPlan } from '../domain/plan-file.ts'
import type { ResourceContent } from '../domain/resource.ts'
import { type Scope, wholeScope } from '../domain/scope.ts'
import type { Engine } from '../engine.ts'
import { type Actual, readActual } from '../reconciler/actual.ts'
import { appliedPaths } from '../reconciler/applied-paths.ts'
import { type Desired, readDesired } from '../reconciler/desired.ts'
import { refuseForeignChanges } from '../reconciler/foreign-changes.ts'
import { type PlanRequest, type PreparedPlan, preparePlan } from '../reconciler/prepare.ts'
import { requireScope } from '../tenancy/actor.ts'

export interface PlanOptions {
  readonly directory: string
  readonly ref: string | null
  readonly scope?: Partial<Scope>
  readonly destroy?: boolean
  readonly refreshOnly?: boolean
  readonly healAll?: boolean
  readonly retry?: PlanRequest['retry']
  /** Hold back domains with invalid files instead of refusing everything, as a controller does. */
  readonly tolerant?: boolean
  /** Domains to leave alone. */
  readonly heldBack?: readonly Slug[]
}

export interface Planned extends PreparedPlan {
  readonly desired: Desired
  readonly diagnostics: readonly Diagnostic[]
}

/** Desired against actual. Invalid files refuse the whole plan, with every problem found. */
export async function plan(engine: Engine, options: PlanOptions): Promise<Planned> {
  requireScope(engine.actor, 'config:read')
  const now = engine.clock()
  // The database gathers what is applied while this process reads what is wanted.
  const [desired, actual] = await Promise.all([
    readWanted(engine, options.directory, options.ref),
    readActual(engine.database, now),
  ])
  const { diagnostics, domains } = desired.repository
  const slug = options.scope?.slug ?? null
  if (slug !== null) requireDomain(engine, slug, desired, actual)
  const broken = domains.filter((domain) => domain.broken).map((domain) => domain.slug)
  if (broken.length > 0 && !options.tolerant) throw invalidConfiguration(diagnostics)
  const leftAlone = held(
    broken,
    domains.map((domain) => domain.slug),
  )
  const prepared = await preparePlan(engine.database, engine.actor, desired, actual, {
    scope: { ...wholeScope, ...options.scope, broken: [...leftAlone, ...(options.heldBack ?? [])] },
    destroy: options.destroy ?? false,
    refreshOnly: options.refreshOnly ?? false,
    healAll: options.healAll ?? false,
    retry: options.retry ?? [],
    now,
  })
  return { ...prepared, desired, diagnostics }
}

/** A misspelt tenant would plan nothing and look converged. */
function requireDomain({ actor }: Engine, slug: Slug, desired: Desired, actual: Actual): void {
  const applied = actual.domains.get(slug)
  const isThere = applied !== undefined || desired.repository.domains.some((domain) => domain.slug === slug)
  if (isThere && (actor.tenantId === null || applied?.tenant_id === actor.tenantId)) return
  throw new FibricError('NOT_FOUND', `there is no tenant \`${slug}\` here`, {
    hint: 'name a folder below tenants/, or see the applied ones with: fibric get Tenant',
  })
}

/** The repository as a plan reads it: parsed documents are kept beside the database, and what is applied is remembered. */
export async function readWanted(engine: Engine, directory: string, ref: string | null): Promise<Desired> {
  return readDesired(directory, {
    ref,
    cacheDirectory: join(engine.config.dataDirectory, 'cache'),
    appliedPaths: await appliedPaths(engine.database),
  })
}

/** Tenants rest on the platform: while a file of it cannot be read, nothing moves. */
function held(broken: readonly Slug[], all: readonly Slug[]): readonly Slug[] {
  return broken.includes('_platform' as Slug) ? all : broken
}

export function invalidConfiguration(diagnostics: readonly Diagnostic[]): FibricError {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error')
  return new FibricError(
    'INVALID_CONFIGURATION',
    `the configuration has ${errors.length} error${errors.length === 1 ? '' : 's'}`,
    {
      hint: 'see them with: fibric validate',
      details: { diagnostics },
    },
  )
}

/** The bytes of a plan file: the signed plan with the documents and files it needs, so that applying reads nothing else. */
export async function savePlan(engine: Engine, planned: Planned): Promise<Buffer> {
  const documents: { [digest: string]: ResourceContent } = {}
  const files: { [digest: string]: string } = {}
  for (const change of planned.plan.changes) {
    const material = await planned.material(change)
    if (change.digestAfter !== null && material.content) documents[change.digestAfter] = material.content
    for (const [digest, bytes] of material.files) files[digest] = bytes.toString('base64')
  }
  return encodePlanFile({ plan: planned.plan, documents, files }, engine.deployment.signingKey)
}

/** A tenant's key reads plans of its own changes alone: another tenant's are as if they were not there. */
export async function refuseOthers(engine: Engine, plan: SavedPlan['plan']): Promise<void> {
  requireScope(engine.actor, 'config:read')
  refuseForeignChanges(engine.actor, await readActual(engine.database, engine.clock()), plan.changes)
}

export function loadPlan(engine: Engine, bytes: Buffer, name: string): SavedPlan {
  const { signingKey, row } = engine.deployment
  return decodePlanFile(
    bytes,
    name,
    createPublicKey(signingKey.privateKey),
    row.deployment_id,
    engine.clock().getTime(),
  )
}
