-- workers: stop
-- The foundation: domains, applied objects and their content, plans, actions, approvals and the ledger.
--
-- Every row carries tenant_id, and row security is enabled and forced on every table. fibric_app sees the one domain of
-- its transaction (fibric.tenant_id); fibric_worker sees the domains its batch names (fibric.tenant_ids).

-- Puts up the wall around one table. The worker's list is read in a sub-query: it becomes a hash table once a statement,
-- where the bare expression is split anew for every row (10,000 objects of 200 tenants: 2.4 s). Verbs are a comma-separated list of privileges, or '' for none at all.
create procedure fibric.wall(target regclass, app_verbs text, worker_verbs text)
language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  if app_verbs <> '' then
    execute format('grant %s on %s to fibric_app', app_verbs, target);
    execute format($policy$create policy own_domain on %s to fibric_app
      using (tenant_id = nullif(current_setting('fibric.tenant_id', true), ''))
      with check (tenant_id = nullif(current_setting('fibric.tenant_id', true), ''))$policy$, target);
  end if;
  if worker_verbs <> '' then
    execute format('grant %s on %s to fibric_worker', worker_verbs, target);
    execute format($policy$create policy named_domains on %s to fibric_worker
      using (tenant_id in (select unnest(string_to_array(nullif(current_setting('fibric.tenant_ids', true), ''), ','))))
      with check (tenant_id in (select unnest(string_to_array(nullif(current_setting('fibric.tenant_ids', true), ''), ','))))$policy$, target);
  end if;
end $$;
revoke all on procedure fibric.wall from public;

-- Opens rows of one table to every domain, for reading only. To no context at all, nothing is ever shown.
create procedure fibric.share(target regclass, policy text, shown text)
language plpgsql as $$
begin
  execute format($policy$create policy %I on %s for select to fibric_app, fibric_worker
    using (%s and (select coalesce(nullif(current_setting('fibric.tenant_id', true), ''),
                                   nullif(current_setting('fibric.tenant_ids', true), '')) is not null))$policy$, policy, target, shown);
end $$;
revoke all on procedure fibric.share from public;

-- The deployment itself: one row, in the governance domain. Genesis is the first plan, whose id is kept.
create table fibric.deployment (
  tenant_id text not null default 't_platform' primary key check (tenant_id = 't_platform'),
  reseller_id text,
  deployment_id text not null,
  created_at timestamptz not null,
  genesis_state text not null check (genesis_state in ('awaited', 'open', 'closed')),
  genesis_plan text,
  genesis_policies text,
  genesis_opened_at timestamptz,
  genesis_closed_at timestamptz,
  check ((genesis_state = 'awaited') = (genesis_plan is null))
);
call fibric.wall('fibric.deployment', 'select, insert', 'select, update');
-- Every domain's transactions need to know which deployment they are in; the row holds no secret.
call fibric.share('fibric.deployment', 'deployment_is_shared', 'true');

-- Keys sealed under the root key; never visible to workers.
create table fibric.sealed_key (
  tenant_id text not null,
  reseller_id text,
  key_id text not null,
  purpose text not null,
  public_key bytea,
  sealed bytea not null,
  created_at timestamptz not null,
  primary key (tenant_id, key_id)
);
call fibric.wall('fibric.sealed_key', 'select, insert', '');

-- One row a domain, without payload: which domains there are, and whose. Workers read and write it across domains.
create table fibric.domain (
  tenant_id text not null primary key check (tenant_id ~ '^t_[0-9a-z]+$'),
  reseller_id text,
  slug text not null,
  ledger_id text not null unique,
  state text not null check (state in ('active', 'deleted')),
  rules_epoch bigint not null default 1,
  created_at timestamptz not null
);
create unique index domain_slug on fibric.domain (slug) where state = 'active';
-- Before the wall goes up: forced row security binds the owner too.
insert into fibric.domain (tenant_id, slug, ledger_id, state, created_at)
values ('t_platform', '_platform', 'l_' || replace(gen_random_uuid()::text, '-', ''), 'active', now());
alter table fibric.domain enable row level security;
alter table fibric.domain force row level security;
grant select on fibric.domain to fibric_app;
grant select, insert, update on fibric.domain to fibric_worker;
create policy own_domain on fibric.domain for select to fibric_app
  using (tenant_id = nullif(current_setting('fibric.tenant_id', true), '')
         or nullif(current_setting('fibric.tenant_id', true), '') = 't_platform');
create policy every_domain on fibric.domain to fibric_worker using (true) with check (true);

-- How often something was applied in a domain, or switched by a person. A controller that follows a thousand domains asks
-- for the sum of these, and looks closer when it moved. Not in fibric.domain: every batch of effects holds its domain's row.
create table fibric.config_mark (
  tenant_id text not null primary key,
  reseller_id text,
  moves bigint not null default 1
);
call fibric.wall('fibric.config_mark', 'select, insert, update', 'select, insert, update');
-- Without payload: one sum over all domains.
create policy every_mark on fibric.config_mark for select to fibric_worker using (true);

-- Immutable content by digest: documents as canonical JSON, referenced files as their bytes.
create table fibric.content (
  tenant_id text not null,
  reseller_id text,
  digest text not null check (digest ~ '^sha256:[0-9a-f]{64}$'),
  kind text not null,
  bytes bytea not null,
  created_at timestamptz not null,
  primary key (tenant_id, digest),
  -- The database itself refuses bytes that are not what their digest says.
  constraint content_hashes check (digest = 'sha256:' || encode(sha256(bytes), 'hex'))
);
call fibric.wall('fibric.content', 'select', 'select, insert, update');

-- What is applied: a pointer from an address to content, and the receipt that put it there. digest is null on a
-- tombstone, which keeps the generation so that a re-created object goes on counting.
create table fibric.object (
  tenant_id text not null,
  reseller_id text,
  address text not null,
  object_id text not null,
  kind text not null,
  generation bigint not null check (generation > 0),
  digest text check (digest ~ '^sha256:[0-9a-f]{64}$'),
  receipt_id text not null,
  labels jsonb not null,
  refs text[] not null,
  source jsonb not null,
  commit_sha text,
  deletion_protection boolean not null,
  created_at timestamptz not null,
  applied_at timestamptz not null,
  primary key (tenant_id, address)
);
create unique index object_id on fibric.object (tenant_id, object_id) where digest is not null;
create index object_kind on fibric.object (tenant_id, kind);
call fibric.wall('fibric.object', 'select', 'select, insert, update');

-- What tenants share is readable in every context, and written in t_platform only.
call fibric.share('fibric.object', 'shared_kinds',
  $$tenant_id = 't_platform' and kind in ('Model', 'ServiceTier', 'Connector', 'TrustPolicy', 'Template')$$);
call fibric.share('fibric.content', 'shared_kinds',
  $$tenant_id = 't_platform' and kind in ('Model', 'ServiceTier', 'Connector', 'TrustPolicy', 'Template')$$);

-- One ExecutionPlan a domain; those of one configuration plan share its correlation id.
create table fibric.execution_plan (
  tenant_id text not null,
  reseller_id text,
  plan_id text not null,
  config_plan_id text,
  correlation_id text not null,
  event_id text,
  proposer jsonb not null,
  source jsonb not null,
  engine text not null,
  created_at timestamptz not null,
  primary key (tenant_id, plan_id)
);
create index execution_plan_correlation on fibric.execution_plan (tenant_id, correlation_id);
create index execution_plan_event on fibric.execution_plan (tenant_id, event_id) where event_id is not null;
create index execution_plan_config on fibric.execution_plan (tenant_id, config_plan_id) where config_plan_id is not null;
call fibric.wall('fibric.execution_plan', 'select', 'select, insert');

-- No foreign key to its plan: one transaction writes both, nobody may delete a plan, and the check of every row by a plan made
-- while the table was new read all the plans of the tenant.
create table fibric.action (
  tenant_id text not null,
  reseller_id text,
  action_id text not null,
  plan_id text not null,
  ordinal integer not null,
  capability text not null,
  connection text not null,
  tool text not null,
  entity_key text not null,
  idempotency_key text not null,
  tier smallint not null check (tier between 0 and 3),
  change jsonb,
  change_digest text,
  args jsonb not null,
  authors jsonb not null,
  -- What the gate was given, so that a decision can be replayed through other rules.
  gate_input jsonb,
  verdict jsonb,
  policy_digest text,
  after text[] not null,
  cause text,
  state text not null check (state in ('planned', 'rejected', 'skipped', 'blocked', 'deduplicated', 'held', 'vetoed', 'expired',
    'superseded', 'intent', 'waiting', 'unknown', 'reconciling', 'manual', 'applied', 'failed', 'cancelled')),
  attempts integer not null default 0,
  created_at timestamptz not null,
  state_at timestamptz not null,
  expires_at timestamptz,
  receipt_id text,
  primary key (tenant_id, action_id),
  constraint action_receipt_iff_terminal check ((receipt_id is not null) = (state in ('rejected', 'skipped', 'blocked',
    'deduplicated', 'vetoed', 'expired', 'superseded', 'applied', 'failed', 'cancelled')))
);
-- The claim: at most one live or applied action a key. A key of a configuration change holds the generation it replaces.
create unique index action_claim on fibric.action (tenant_id, idempotency_key)
  where state in ('held', 'intent', 'waiting', 'unknown', 'reconciling', 'manual', 'applied');
create index action_plan on fibric.action (tenant_id, plan_id, ordinal);
create index action_change on fibric.action (tenant_id, change_digest, created_at desc) where change_digest is not null;
create index action_open on fibric.action (tenant_id, state)
  where state in ('planned', 'held', 'intent', 'waiting', 'unknown', 'reconciling', 'manual');
-- What ended otherwise than applied is little, and all that what waits for it asks about.
create index action_refused on fibric.action (tenant_id, entity_key, state_at desc)
  where state in ('rejected', 'skipped', 'blocked', 'vetoed', 'expired', 'failed', 'cancelled');
create index action_deletes on fibric.action (tenant_id, state_at) where state = 'applied' and capability like 'config.%.delete';
create index action_decided on fibric.action (tenant_id, state_at desc) where verdict is not null;
call fibric.wall('fibric.action', 'select', 'select, insert, update');

-- A person's answer to a held action, bound to the change it was given for. One answer a person.
create table fibric.approval (
  tenant_id text not null,
  reseller_id text,
  action_id text not null,
  person text not null,
  decision text not null check (decision in ('approve', 'veto')),
  change_digest text,
  roles jsonb not null,
  reason text,
  signature text,
  key_id text,
  created_at timestamptz not null,
  primary key (tenant_id, action_id, person),
  foreign key (tenant_id, action_id) references fibric.action (tenant_id, action_id)
);
call fibric.wall('fibric.approval', 'select, insert', 'select, insert');

-- The ledger. Entries are appended without a position; the sequencer gives positions (ledger_position) in one order
-- that never changes and moves the domain's Merkle head. xid is what lets it find every entry however late it commits.
create table fibric.ledger_entry (
  tenant_id text not null,
  reseller_id text,
  entry_id text not null,
  serial bigint generated always as identity,
  -- Not xid8: its comparisons are not leakproof, so behind row security no index would be used for them.
  xid bigint not null default pg_current_xact_id()::text::bigint,
  kind text not null,
  bytes bytea not null,
  leaf bytea not null check (length(leaf) = 32),
  -- Of receipts of configuration changes that were applied: whose last one says what an object is.
  address text,
  generation bigint,
  -- The address a rename left behind.
  vacates text,
  -- The action that an entry other than its receipt speaks of.
  about text,
  created_at timestamptz not null,
  primary key (tenant_id, entry_id)
);
create index ledger_entry_unsequenced on fibric.ledger_entry (tenant_id, xid, serial);
create unique index ledger_entry_address on fibric.ledger_entry (tenant_id, address, generation) where address is not null;
-- The objects that say what the gate answers, and who may approve: read before anything is decided.
create index ledger_entry_governing on fibric.ledger_entry (tenant_id, split_part(address, '/', 2), address)
  where split_part(address, '/', 2) in ('TrustPolicy', 'Operator', 'Tenant', 'User', 'Role', 'Deployment');
create index ledger_entry_about on fibric.ledger_entry (tenant_id, about) where about is not null;
create index ledger_entry_vacates on fibric.ledger_entry (tenant_id, vacates, generation) where vacates is not null;
call fibric.wall('fibric.ledger_entry', 'select, insert', 'select, insert');

-- No foreign key: the sequencer reads each entry it numbers under the head's lock, nobody may delete one, and the check of
-- every row by a plan made while the table was new cost more than all else the sequencer does.
create table fibric.ledger_position (
  tenant_id text not null,
  reseller_id text,
  position bigint not null,
  entry_id text not null,
  primary key (tenant_id, position),
  unique (tenant_id, entry_id)
);
call fibric.wall('fibric.ledger_position', 'select', 'select, insert');

create table fibric.ledger_head (
  tenant_id text not null primary key,
  reseller_id text,
  size bigint not null,
  root bytea not null,
  frontier bytea[] not null,
  low_xid bigint not null,
  -- Positions found by xid are good in one cluster only: a restored copy starts from 0 again.
  cluster text not null,
  updated_at timestamptz not null
);
call fibric.wall('fibric.ledger_head', 'select', 'select, insert, update');

-- Effects counted for rates and budgets: one row a (domain, capability, by, value), its minute buckets inside the row.
create table fibric.effect_counter (
  tenant_id text not null,
  reseller_id text,
  capability text not null,
  dimension text not null check (dimension in ('tenant', 'operator', 'entity', 'capability')),
  value text not null,
  buckets jsonb not null,
  primary key (tenant_id, capability, dimension, value)
);
call fibric.wall('fibric.effect_counter', 'select', 'select, insert, update');

-- Runtime records of people: an object whose changes wait until a date, and the way back in after a lock-out.
create table fibric.suspension (
  tenant_id text not null,
  reseller_id text,
  address text not null,
  reason text not null,
  person text not null,
  created_at timestamptz not null,
  until timestamptz not null,
  primary key (tenant_id, address)
);
call fibric.wall('fibric.suspension', 'select, insert, update, delete', 'select');

create table fibric.break_glass (
  tenant_id text not null default 't_platform' check (tenant_id = 't_platform'),
  reseller_id text,
  break_glass_id text not null,
  reason text not null,
  person text not null,
  created_at timestamptz not null,
  until timestamptz not null,
  primary key (tenant_id, break_glass_id)
);
call fibric.wall('fibric.break_glass', 'select, insert', 'select');

-- API keys: a hash, never the secret. Their domain stands in the key itself, so looking one up needs no wider view.
create table fibric.api_key (
  tenant_id text not null,
  reseller_id text,
  key_id text not null,
  name text,
  user_address text,
  role text not null,
  scopes text[] not null,
  secret_hash bytea not null,
  prefix text not null,
  last_four text not null,
  created_by text not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  primary key (tenant_id, key_id),
  unique (tenant_id, secret_hash)
);
call fibric.wall('fibric.api_key', 'select, insert, update', '');
