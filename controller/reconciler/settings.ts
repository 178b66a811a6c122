import { durationMs, withDefaults } from '../../schemas/index.ts'
import type { BrakeSettings } from '../domain/brakes.ts'
import { isJsonObject, type JsonObject } from '../domain/json.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { DriftMode } from './plan.ts'

/** What of the Deployment counts while a plan is judged: as applied, never as the tree would have it. */
export interface DeploymentSettings {
  readonly brakes: BrakeSettings
  readonly drift: { readonly platform: DriftMode; readonly tenants: DriftMode }
  readonly approvalsExpireInMs: number
  readonly signers: readonly JsonObject[]
}

/** The settings of an applied Deployment; the defaults where there is none. */
export function settingsOf(deployment: ResourceContent | null): DeploymentSettings {
  const spec = withDefaults('Deployment', deployment?.spec ?? {})
  const brakes = objectAt(spec, 'brakes')
  const drift = objectAt(spec, 'drift')
  const approvals = objectAt(spec, 'approvals')
  const { signers } = objectAt(spec, 'git')
  return {
    brakes: { maxDeletePercent: Number(brakes.maxDeletePercent ?? 25), minObjects: Number(brakes.minObjects ?? 8) },
    drift: {
      platform: (drift.platform ?? 'heal') as DriftMode,
      tenants: (drift.tenants ?? 'observe') as DriftMode,
    },
    approvalsExpireInMs: durationMs(String(approvals.expiresIn ?? '72h')) ?? 72 * 3_600_000,
    signers: Array.isArray(signers) ? signers.filter((signer) => isJsonObject(signer)) : [],
  }
}

function objectAt(spec: JsonObject, field: string): JsonObject {
  const value = spec[field]
  return isJsonObject(value) ? value : {}
}
