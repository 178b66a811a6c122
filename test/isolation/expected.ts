import type { ApplicationRole } from '../../controller/store/roles.ts'

/**
 * What each login may do to each table, written out: a table that is new, or a grant that changed, fails until somebody
 * has thought about it and written it here.
 */
export const granted: { readonly [table: string]: { readonly [role in ApplicationRole]: string } } = {
  action: { fibric_app: 'select', fibric_worker: 'insert select update' },
  api_key: { fibric_app: 'insert select update', fibric_worker: '' },
  approval: { fibric_app: 'insert select', fibric_worker: 'insert select' },
  break_glass: { fibric_app: 'insert select', fibric_worker: 'select' },
  breaker: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  content: { fibric_app: 'select', fibric_worker: 'insert select update' },
  deployment: { fibric_app: 'insert select', fibric_worker: 'select update' },
  domain: { fibric_app: 'select', fibric_worker: 'insert select update' },
  effect_claim: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  effect_counter: { fibric_app: 'select', fibric_worker: 'insert select update' },
  effect_minute: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  effect_queue: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  egress_gate: { fibric_app: 'select', fibric_worker: 'insert select update' },
  execution_plan: { fibric_app: 'select', fibric_worker: 'insert select' },
  lease: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  ledger_entry: { fibric_app: 'insert select', fibric_worker: 'insert select' },
  ledger_head: { fibric_app: 'select', fibric_worker: 'insert select update' },
  ledger_position: { fibric_app: 'select', fibric_worker: 'insert select' },
  oauth_token: { fibric_app: 'delete insert select update', fibric_worker: '' },
  object: { fibric_app: 'select', fibric_worker: 'insert select update' },
  operator_pause: { fibric_app: 'delete insert select update', fibric_worker: 'select' },
  refusal: { fibric_app: 'delete insert select update', fibric_worker: 'delete select' },
  request: { fibric_app: 'delete insert select update', fibric_worker: 'delete select update' },
  request_quota: { fibric_app: 'insert select update', fibric_worker: '' },
  run: { fibric_app: 'select', fibric_worker: 'insert select update' },
  sealed_key: { fibric_app: 'insert select', fibric_worker: '' },
  secret_version: { fibric_app: 'insert select update', fibric_worker: '' },
  stop: { fibric_app: 'insert select update', fibric_worker: 'select' },
  suspension: { fibric_app: 'delete insert select update', fibric_worker: 'select' },
  tenant_key: { fibric_app: 'delete insert select update', fibric_worker: '' },
}

/** Tables that belong to no domain and have no row security. Both are read before there is a context, and never written. */
export const infrastructure: { readonly [table: string]: string } = {
  root_key: 'the public id of the root key: compared before anything is opened',
  schema_migrations: 'numbers and checksums of migrations: compared before anything is opened',
}

/** Kinds that `_platform` shares: readable in every context, written in its own. */
export const sharedKinds = ['Connector', 'Model', 'ServiceTier', 'Template', 'TrustPolicy']

/** Where a login sees beyond its context on purpose. `_platform` rows of a shared kind are not listed: see `sharedKinds`. */
export const exceptions = {
  /** The worker has to find out which domains there are; the rows hold names and epochs, no payload. */
  workerSeesAndWritesAll: ['domain'],
  /** The worker learns from them which domains have something due, and which leases ran out; rows hold no payload. */
  workerSeesAll: ['effect_queue', 'lease'],
  /** The governance domain administers the others, so it lists them. */
  platformSeesAll: ['domain'],
  /** Every domain's transactions have to know which deployment they are in. */
  sharedWhole: ['deployment'],
}

/** Functions the worker calls. They run with its own rights, so the policies of the tables bind them. */
export const workerMayCall: { readonly [name: string]: string } = {
  claim_effects: 'several steps that each have to see what was committed before their locks were granted',
  settle_effects: 'the same, for what attempts came to',
  wake_waiters: 'part of both',
}

/** Indexes that do not lead with `tenant_id`: looked up across domains, by the worker alone. */
export const crossDomainIndexes: { readonly [index: string]: string } = {
  domain_ledger_id_key: 'a ledger belongs to one domain of the deployment',
  lease_until: 'recovery looks for leases that ran out, whosever they are',
  domain_slug: 'a slug belongs to one living domain of the deployment',
}

export const verbs = ['select', 'insert', 'update', 'delete'] as const
export type Verb = (typeof verbs)[number]
