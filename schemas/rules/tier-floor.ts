import type { JsonObject } from '../../controller/domain/json.ts'
import { objectOf } from './rule-kit.ts'

/** The least tier that facts imply, and the fact; a declaration below it is an error. */
export interface TierFloor {
  readonly tier: 1 | 2 | 3
  readonly reason: string
}

/** Tier of a Skill's declared risk: two spellings of one scale. */
export const riskTiers: Readonly<Record<string, number>> = { low: 1, medium: 2, high: 3 }

/** The floor of a Skill from what it runs on and, where it has one, its Asset (null without). */
export function skillTierFloor(skill: JsonObject, asset: JsonObject | null): TierFloor {
  if (runsOnLocalAgent(skill)) return { tier: 3, reason: 'it runs on a local agent' }
  if (asset?.type === 'shell') return { tier: 2, reason: 'its asset is a shell script' }
  if (asset !== null && reachesNetwork(asset)) return { tier: 2, reason: 'its script may reach the network' }
  if (objectOf(asset?.http).method === 'DELETE') return { tier: 2, reason: 'its asset sends a DELETE' }
  return { tier: 1, reason: 'it has an effect' }
}

export function runsOnLocalAgent(skill: JsonObject): boolean {
  return skill.execution === 'agent' || objectOf(skill.execution).agent !== undefined
}

function reachesNetwork(asset: JsonObject): boolean {
  const { network } = objectOf(asset.sandbox)
  return Array.isArray(network) && network.length > 0
}
