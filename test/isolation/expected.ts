import type { ApplicationRole } from '../../controller/store/roles.ts'

/**
 * What each login may do to each table, written out: a table that is new, or a grant that changed, fails until somebody
 * has thought about it and written it here.
 */
export const granted: { readonly [table: string]: { readonly [role in ApplicationRole]: string } } = {
  action: { fibric_app: 'select', fibric_worker: 'insert select update' },
  alert: { fibric_app: 'select update', fibric_worker: 'insert select' },
  api_key: { fibric_app: 'insert select update', fibric_worker: '' },
  approval: { fibric_app: 'insert select', fibric_worker: 'insert select' },
  break_glass: { fibric_app: 'insert select', fibric_worker: 'select' },
  breaker: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  config_mark: { fibric_app: 'insert select update', fibric_worker: 'insert select update' },
  connection_drift: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  connection_drill: { fibric_app: 'insert select update', fibric_worker: 'select' },
  connection_registration: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  content: { fibric_app: 'select', fibric_worker: 'insert select update' },
  dead_letter: { fibric_app: 'select', fibric_worker: 'insert select update' },
  deployment: { fibric_app: 'insert select', fibric_worker: 'select update' },
  domain: { fibric_app: 'select', fibric_worker: 'insert select update' },
  effect_claim: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  effect_counter: { fibric_app: 'select', fibric_worker: 'insert select update' },
  effect_minute: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  effect_queue: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  egress_gate: { fibric_app: 'select', fibric_worker: 'insert select update' },
  event: { fibric_app: 'select', fibric_worker: 'insert select' },
  event_consumer: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  event_lane: { fibric_app: 'select', fibric_worker: 'insert select update' },
  event_position: { fibric_app: 'select', fibric_worker: 'delete insert select' },
  event_replay: { fibric_app: 'select', fibric_worker: 'insert select update' },
  evidence: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  execution_plan: { fibric_app: 'select', fibric_worker: 'insert select' },
  ingest_generation: { fibric_app: '', fibric_worker: 'select update' },
  ingest_key: { fibric_app: '', fibric_worker: 'insert select' },
  ingest_meter: { fibric_app: 'select', fibric_worker: 'insert select update' },
  lease: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  ledger_entry: { fibric_app: 'insert select', fibric_worker: 'insert select' },
  ledger_head: { fibric_app: 'select', fibric_worker: 'insert select update' },
  ledger_position: { fibric_app: 'select', fibric_worker: 'insert select' },
  model_call: { fibric_app: 'select', fibric_worker: 'insert select update' },
  oauth_token: { fibric_app: 'delete insert select update', fibric_worker: '' },
  object: { fibric_app: 'select', fibric_worker: 'insert select update' },
  once: { fibric_app: 'select', fibric_worker: 'delete insert select update' },
  operator_pause: { fibric_app: 'delete insert select update', fibric_worker: 'select' },
  poller: { fibric_app: 'select', fibric_worker: 'insert select update' },
  refusal: { fibric_app: 'delete insert select update', fibric_worker: 'delete select' },
  request: { fibric_app: 'delete insert select update', fibric_worker: 'delete select update' },
  request_quota: { fibric_app: 'insert select update', fibric_worker: '' },
  run: { fibric_app: 'select', fibric_worker: 'insert select update' },
  schedule_tick: { fibric_app: 'select', fibric_worker: 'insert select update' },
  sealed_key: { fibric_app: 'insert select', fibric_worker: '' },
  secret_version: { fibric_app: 'insert select update', fibric_worker: '' },
  stop: { fibric_app: 'insert select update', fibric_worker: 'select' },
  suspension: { fibric_app: 'delete insert select update', fibric_worker: 'select' },
  tenant_key: { fibric_app: 'delete insert select update', fibric_worker: '' },
}

/**
 * Partitions and whose they are. They are reached through their parent and its policies; nobody may touch one directly,
 * so each has row security of its own, no policy and no grant.
 */
export const partitions: { readonly [partition: string]: string } = {
  event_default: 'event',
  ingest_key_0: 'ingest_key',
  ingest_key_1: 'ingest_key',
  ingest_key_2: 'ingest_key',
}

/** Partitions that are made and dropped as weeks go by, by the name they get. */
export const weekly: { readonly [parent: string]: RegExp } = { event: /^event_\d{8}$/ }

/** Sequences that the worker may take numbers from, and nobody else. Numbers tell of no domain but that time went by. */
export const sequences: { readonly [sequence: string]: string } = {
  event_fence: 'fences of consumers: one sequence, so the row of a consumer may be deleted and made again',
  event_serial: 'serials of events: one sequence for the log, whosever the event is',
  fence: 'fencing tokens of leases: one sequence, so rows of leases may be deleted',
}

/**
 * Functions that the worker may call, and nobody else; whatever is not listed can be called by its owner alone. One that
 * is a `definer` runs with the powers of its owner: it goes round the wall, and says here why that is needed and safe.
 */
export const functions: { readonly [name: string]: { readonly definer: boolean; readonly why: string } } = {
  claim_effects: { definer: false, why: 'one step of many actions, each statement under the policies of the caller' },
  drop_event_partition: {
    definer: true,
    why: 'retention: only an owner drops a table. It makes the name from a date, and refuses a week that is not over',
  },
  empty_ingest_slot: {
    definer: true,
    why: 'keys are dropped a window at a time: only an owner truncates. It takes one of three numbers, answers nothing',
  },
  last_serials: {
    definer: true,
    why: 'sequences can be read by who may take from them, or by their owner. Two numbers, of no domain',
  },
  make_event_partition: {
    definer: true,
    why: 'only an owner attaches a partition. It makes the name from a date, and the wall stands before it is attached',
  },
  settle_effects: { definer: false, why: 'one step of many attempts, each statement under the policies of the caller' },
  wake_waiters: { definer: false, why: 'what claims and settlements end with, under the policies of the caller' },
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
  /**
   * No row holds payload. `domain`: the worker has to find out which domains there are. `event_lane`: the sequencer locks
   * the lanes of many domains and gives each its next positions in one statement. `ingest_generation`: one row for the
   * whole deployment, which says what slot keys are written to.
   */
  workerSeesAndWritesAll: ['domain', 'event_lane', 'ingest_generation'],
  /** The worker learns from them whether anything was applied, what is due and which leases ran out; rows hold no payload. */
  workerSeesAll: ['config_mark', 'effect_queue', 'lease'],
  /** The governance domain administers the others, so it lists them. */
  platformSeesAll: ['domain'],
  /** Every domain's transactions have to know which deployment they are in. */
  sharedWhole: ['deployment'],
}

/** Indexes that do not lead with `tenant_id`. Policies bind what is found by them as they bind everything. */
export const crossDomainIndexes: { readonly [index: string]: string } = {
  domain_ledger_id_key: 'a ledger belongs to one domain of the deployment',
  event_by_serial: 'from a position to its event: serials come from one sequence, so no other index can fit better',
  event_position_serial_key: 'an event has one position: serials come from one sequence, whosever the event is',
  ingest_key_pkey: 'the slot is the partition, emptied whole; tenant_id is next',
  lease_until: 'recovery looks for leases that ran out, whosever they are',
  domain_slug: 'a slug belongs to one living domain of the deployment',
}

export const verbs = ['select', 'insert', 'update', 'delete'] as const
export type Verb = (typeof verbs)[number]
