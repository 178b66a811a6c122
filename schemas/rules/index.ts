import type { JsonObject } from '../../controller/domain/json.ts'
import type { Kind } from '../generated/types.ts'
import { asset } from './Asset.ts'
import { completeConnector, connector } from './Connector.ts'
import { announcement, menu } from './console.ts'
import { model, modelPolicy } from './Model.ts'
import { operator } from './Operator.ts'
import { apiKey, user } from './people.ts'
import type { DocumentRules } from './rule-kit.ts'
import { schedule } from './Schedule.ts'
import { completeSkill, skill } from './Skill.ts'
import { table } from './Table.ts'
import { tenant } from './Tenant.ts'
import { trustPolicy } from './TrustPolicy.ts'

export const documentRules: DocumentRules = {
  Announcement: announcement,
  ApiKey: apiKey,
  Asset: asset,
  Connector: connector,
  Menu: menu,
  Model: model,
  ModelPolicy: modelPolicy,
  Operator: operator,
  Schedule: schedule,
  Skill: skill,
  Table: table,
  Tenant: tenant,
  TrustPolicy: trustPolicy,
  User: user,
}

/** Defaults that depend on other fields; each is idempotent. */
export const completions: { readonly [kind in Kind]?: (spec: JsonObject) => JsonObject } = {
  Connector: completeConnector,
  Skill: completeSkill,
}
