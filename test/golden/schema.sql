grant usage on schema fibric to fibric_app_<deployment>;
grant usage on schema fibric to fibric_worker_<deployment>;

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
  tier smallint not null,
  change jsonb,
  change_digest text,
  args jsonb not null,
  authors jsonb not null,
  gate_input jsonb,
  verdict jsonb,
  policy_digest text,
  after text[] not null,
  cause text,
  state text not null,
  attempts integer not null default 0,
  created_at timestamp with time zone not null,
  state_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  receipt_id text,
  constraint action_pkey PRIMARY KEY (tenant_id, action_id),
  constraint action_receipt_iff_terminal CHECK (((receipt_id IS NOT NULL) = (state = ANY (ARRAY['rejected'::text, 'skipped'::text, 'blocked'::text, 'deduplicated'::text, 'vetoed'::text, 'expired'::text, 'superseded'::text, 'applied'::text, 'failed'::text, 'cancelled'::text])))),
  constraint action_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'rejected'::text, 'skipped'::text, 'blocked'::text, 'deduplicated'::text, 'held'::text, 'vetoed'::text, 'expired'::text, 'superseded'::text, 'intent'::text, 'waiting'::text, 'unknown'::text, 'reconciling'::text, 'manual'::text, 'applied'::text, 'failed'::text, 'cancelled'::text]))),
  constraint action_tenant_id_plan_id_fkey FOREIGN KEY (tenant_id, plan_id) REFERENCES fibric.execution_plan(tenant_id, plan_id),
  constraint action_tier_check CHECK (((tier >= 0) AND (tier <= 3)))
);
CREATE INDEX action_change ON fibric.action USING btree (tenant_id, change_digest, created_at DESC) WHERE (change_digest IS NOT NULL);
CREATE UNIQUE INDEX action_claim ON fibric.action USING btree (tenant_id, idempotency_key) WHERE (state = ANY (ARRAY['held'::text, 'intent'::text, 'waiting'::text, 'unknown'::text, 'reconciling'::text, 'manual'::text, 'applied'::text]));
CREATE INDEX action_decided ON fibric.action USING btree (tenant_id, state_at DESC) WHERE (verdict IS NOT NULL);
CREATE INDEX action_open ON fibric.action USING btree (tenant_id, state) WHERE (state = ANY (ARRAY['planned'::text, 'held'::text, 'intent'::text, 'waiting'::text, 'unknown'::text, 'reconciling'::text, 'manual'::text]));
CREATE INDEX action_plan ON fibric.action USING btree (tenant_id, plan_id, ordinal);
CREATE INDEX action_refused ON fibric.action USING btree (tenant_id, entity_key, state_at DESC) WHERE (state = ANY (ARRAY['rejected'::text, 'skipped'::text, 'blocked'::text, 'vetoed'::text, 'expired'::text, 'failed'::text, 'cancelled'::text]));
alter table fibric.action enable row level security;
alter table fibric.action force row level security;
create policy named_domains on fibric.action for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.action for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.action to fibric_worker;
grant select on fibric.action to fibric_app;

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
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  constraint api_key_pkey PRIMARY KEY (tenant_id, key_id),
  constraint api_key_tenant_id_secret_hash_key UNIQUE (tenant_id, secret_hash)
);
alter table fibric.api_key enable row level security;
alter table fibric.api_key force row level security;
create policy own_domain on fibric.api_key for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.api_key to fibric_app;

create table fibric.approval (
  tenant_id text not null,
  reseller_id text,
  action_id text not null,
  person text not null,
  decision text not null,
  change_digest text,
  roles jsonb not null,
  reason text,
  signature text,
  key_id text,
  created_at timestamp with time zone not null,
  constraint approval_pkey PRIMARY KEY (tenant_id, action_id, person),
  constraint approval_decision_check CHECK ((decision = ANY (ARRAY['approve'::text, 'veto'::text]))),
  constraint approval_tenant_id_action_id_fkey FOREIGN KEY (tenant_id, action_id) REFERENCES fibric.action(tenant_id, action_id)
);
alter table fibric.approval enable row level security;
alter table fibric.approval force row level security;
create policy named_domains on fibric.approval for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.approval for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select on fibric.approval to fibric_app;
grant insert, select on fibric.approval to fibric_worker;

create table fibric.break_glass (
  tenant_id text not null default 't_platform'::text,
  reseller_id text,
  break_glass_id text not null,
  reason text not null,
  person text not null,
  created_at timestamp with time zone not null,
  until timestamp with time zone not null,
  constraint break_glass_pkey PRIMARY KEY (tenant_id, break_glass_id),
  constraint break_glass_tenant_id_check CHECK ((tenant_id = 't_platform'::text))
);
alter table fibric.break_glass enable row level security;
alter table fibric.break_glass force row level security;
create policy named_domains on fibric.break_glass for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.break_glass for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select on fibric.break_glass to fibric_app;
grant select on fibric.break_glass to fibric_worker;

create table fibric.content (
  tenant_id text not null,
  reseller_id text,
  digest text not null,
  kind text not null,
  bytes bytea not null,
  created_at timestamp with time zone not null,
  constraint content_pkey PRIMARY KEY (tenant_id, digest),
  constraint content_digest_check CHECK ((digest ~ '^sha256:[0-9a-f]{64}$'::text)),
  constraint content_hashes CHECK ((digest = ('sha256:'::text || encode(sha256(bytes), 'hex'::text))))
);
alter table fibric.content enable row level security;
alter table fibric.content force row level security;
create policy named_domains on fibric.content for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.content for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
create policy shared_kinds on fibric.content for select to fibric_app, fibric_worker
  using (((tenant_id = 't_platform'::text) AND (kind = ANY (ARRAY['Model'::text, 'ServiceTier'::text, 'Connector'::text, 'TrustPolicy'::text, 'Template'::text])) AND ( SELECT (COALESCE(NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text), NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text)) IS NOT NULL))));
grant insert, select, update on fibric.content to fibric_worker;
grant select on fibric.content to fibric_app;

create table fibric.deployment (
  tenant_id text not null default 't_platform'::text,
  reseller_id text,
  deployment_id text not null,
  created_at timestamp with time zone not null,
  genesis_state text not null,
  genesis_plan text,
  genesis_policies text,
  genesis_opened_at timestamp with time zone,
  genesis_closed_at timestamp with time zone,
  constraint deployment_pkey PRIMARY KEY (tenant_id),
  constraint deployment_check CHECK (((genesis_state = 'awaited'::text) = (genesis_plan IS NULL))),
  constraint deployment_genesis_state_check CHECK ((genesis_state = ANY (ARRAY['awaited'::text, 'open'::text, 'closed'::text]))),
  constraint deployment_tenant_id_check CHECK ((tenant_id = 't_platform'::text))
);
alter table fibric.deployment enable row level security;
alter table fibric.deployment force row level security;
create policy deployment_is_shared on fibric.deployment for select to fibric_app, fibric_worker
  using ((true AND ( SELECT (COALESCE(NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text), NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text)) IS NOT NULL))));
create policy named_domains on fibric.deployment for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.deployment for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select on fibric.deployment to fibric_app;
grant select, update on fibric.deployment to fibric_worker;

create table fibric.domain (
  tenant_id text not null,
  reseller_id text,
  slug text not null,
  ledger_id text not null,
  state text not null,
  rules_epoch bigint not null default 1,
  created_at timestamp with time zone not null,
  constraint domain_pkey PRIMARY KEY (tenant_id),
  constraint domain_ledger_id_key UNIQUE (ledger_id),
  constraint domain_state_check CHECK ((state = ANY (ARRAY['active'::text, 'deleted'::text]))),
  constraint domain_tenant_id_check CHECK ((tenant_id ~ '^t_[0-9a-z]+$'::text))
);
CREATE UNIQUE INDEX domain_slug ON fibric.domain USING btree (slug) WHERE (state = 'active'::text);
alter table fibric.domain enable row level security;
alter table fibric.domain force row level security;
create policy every_domain on fibric.domain for all to fibric_worker
  using (true)
  with check (true);
create policy own_domain on fibric.domain for select to fibric_app
  using (((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)) OR (NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text) = 't_platform'::text)));
grant insert, select, update on fibric.domain to fibric_worker;
grant select on fibric.domain to fibric_app;

create table fibric.effect_counter (
  tenant_id text not null,
  reseller_id text,
  capability text not null,
  dimension text not null,
  value text not null,
  buckets jsonb not null,
  constraint effect_counter_pkey PRIMARY KEY (tenant_id, capability, dimension, value),
  constraint effect_counter_dimension_check CHECK ((dimension = ANY (ARRAY['tenant'::text, 'operator'::text, 'entity'::text, 'capability'::text])))
);
alter table fibric.effect_counter enable row level security;
alter table fibric.effect_counter force row level security;
create policy named_domains on fibric.effect_counter for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.effect_counter for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.effect_counter to fibric_worker;
grant select on fibric.effect_counter to fibric_app;

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
  created_at timestamp with time zone not null,
  constraint execution_plan_pkey PRIMARY KEY (tenant_id, plan_id)
);
CREATE INDEX execution_plan_created ON fibric.execution_plan USING btree (tenant_id, created_at DESC);
alter table fibric.execution_plan enable row level security;
alter table fibric.execution_plan force row level security;
create policy named_domains on fibric.execution_plan for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.execution_plan for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select on fibric.execution_plan to fibric_worker;
grant select on fibric.execution_plan to fibric_app;

create table fibric.ledger_entry (
  tenant_id text not null,
  reseller_id text,
  entry_id text not null,
  serial bigint generated always as identity not null,
  xid xid8 not null default pg_current_xact_id(),
  kind text not null,
  bytes bytea not null,
  leaf bytea not null,
  address text,
  generation bigint,
  vacates text,
  created_at timestamp with time zone not null,
  constraint ledger_entry_pkey PRIMARY KEY (tenant_id, entry_id),
  constraint ledger_entry_leaf_check CHECK ((length(leaf) = 32))
);
CREATE UNIQUE INDEX ledger_entry_address ON fibric.ledger_entry USING btree (tenant_id, address, generation) WHERE (address IS NOT NULL);
CREATE INDEX ledger_entry_governing ON fibric.ledger_entry USING btree (tenant_id, split_part(address, '/'::text, 2), address) WHERE (split_part(address, '/'::text, 2) = ANY (ARRAY['TrustPolicy'::text, 'Operator'::text, 'Tenant'::text, 'User'::text, 'Role'::text]));
CREATE INDEX ledger_entry_unsequenced ON fibric.ledger_entry USING btree (tenant_id, xid, serial);
CREATE INDEX ledger_entry_vacates ON fibric.ledger_entry USING btree (tenant_id, vacates, generation) WHERE (vacates IS NOT NULL);
alter table fibric.ledger_entry enable row level security;
alter table fibric.ledger_entry force row level security;
create policy named_domains on fibric.ledger_entry for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.ledger_entry for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select on fibric.ledger_entry to fibric_app;
grant insert, select on fibric.ledger_entry to fibric_worker;

create table fibric.ledger_head (
  tenant_id text not null,
  reseller_id text,
  size bigint not null,
  root bytea not null,
  frontier bytea[] not null,
  low_xid xid8 not null,
  cluster text not null,
  updated_at timestamp with time zone not null,
  constraint ledger_head_pkey PRIMARY KEY (tenant_id)
);
alter table fibric.ledger_head enable row level security;
alter table fibric.ledger_head force row level security;
create policy named_domains on fibric.ledger_head for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.ledger_head for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.ledger_head to fibric_worker;
grant select on fibric.ledger_head to fibric_app;

create table fibric.ledger_position (
  tenant_id text not null,
  reseller_id text,
  position bigint not null,
  entry_id text not null,
  constraint ledger_position_pkey PRIMARY KEY (tenant_id, "position"),
  constraint ledger_position_tenant_id_entry_id_fkey FOREIGN KEY (tenant_id, entry_id) REFERENCES fibric.ledger_entry(tenant_id, entry_id),
  constraint ledger_position_tenant_id_entry_id_key UNIQUE (tenant_id, entry_id)
);
alter table fibric.ledger_position enable row level security;
alter table fibric.ledger_position force row level security;
create policy named_domains on fibric.ledger_position for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.ledger_position for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select on fibric.ledger_position to fibric_worker;
grant select on fibric.ledger_position to fibric_app;

create table fibric.object (
  tenant_id text not null,
  reseller_id text,
  address text not null,
  object_id text not null,
  kind text not null,
  generation bigint not null,
  digest text,
  receipt_id text not null,
  labels jsonb not null,
  refs text[] not null,
  source jsonb not null,
  commit_sha text,
  deletion_protection boolean not null,
  created_at timestamp with time zone not null,
  applied_at timestamp with time zone not null,
  constraint object_pkey PRIMARY KEY (tenant_id, address),
  constraint object_digest_check CHECK ((digest ~ '^sha256:[0-9a-f]{64}$'::text)),
  constraint object_generation_check CHECK ((generation > 0))
);
CREATE UNIQUE INDEX object_id ON fibric.object USING btree (tenant_id, object_id) WHERE (digest IS NOT NULL);
CREATE INDEX object_kind ON fibric.object USING btree (tenant_id, kind);
alter table fibric.object enable row level security;
alter table fibric.object force row level security;
create policy named_domains on fibric.object for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.object for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
create policy shared_kinds on fibric.object for select to fibric_app, fibric_worker
  using (((tenant_id = 't_platform'::text) AND (kind = ANY (ARRAY['Model'::text, 'ServiceTier'::text, 'Connector'::text, 'TrustPolicy'::text, 'Template'::text])) AND ( SELECT (COALESCE(NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text), NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text)) IS NOT NULL))));
grant insert, select, update on fibric.object to fibric_worker;
grant select on fibric.object to fibric_app;

create table fibric.root_key (
  only_one boolean not null default true,
  key_id text not null,
  constraint root_key_pkey PRIMARY KEY (only_one),
  constraint root_key_only_one_check CHECK (only_one)
);
grant select on fibric.root_key to fibric_app;
grant select on fibric.root_key to fibric_worker;

create table fibric.schema_migrations (
  number integer not null,
  name text not null,
  checksum text not null,
  workers text not null,
  applied_at timestamp with time zone not null default now(),
  constraint schema_migrations_pkey PRIMARY KEY (number),
  constraint schema_migrations_workers_check CHECK ((workers = ANY (ARRAY['survive'::text, 'stop'::text])))
);
grant select on fibric.schema_migrations to fibric_app;
grant select on fibric.schema_migrations to fibric_worker;

create table fibric.sealed_key (
  tenant_id text not null,
  reseller_id text,
  key_id text not null,
  purpose text not null,
  public_key bytea,
  sealed bytea not null,
  created_at timestamp with time zone not null,
  constraint sealed_key_pkey PRIMARY KEY (tenant_id, key_id)
);
alter table fibric.sealed_key enable row level security;
alter table fibric.sealed_key force row level security;
create policy own_domain on fibric.sealed_key for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select on fibric.sealed_key to fibric_app;

create table fibric.suspension (
  tenant_id text not null,
  reseller_id text,
  address text not null,
  reason text not null,
  person text not null,
  created_at timestamp with time zone not null,
  until timestamp with time zone not null,
  constraint suspension_pkey PRIMARY KEY (tenant_id, address)
);
alter table fibric.suspension enable row level security;
alter table fibric.suspension force row level security;
create policy named_domains on fibric.suspension for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.suspension for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.suspension to fibric_app;
grant select on fibric.suspension to fibric_worker;

CREATE OR REPLACE PROCEDURE fibric.share(IN target regclass, IN policy text, IN shown text)
 LANGUAGE plpgsql
AS $procedure$
begin
  execute format($policy$create policy %I on %s for select to fibric_app, fibric_worker
    using (%s and (select coalesce(nullif(current_setting('fibric.tenant_id', true), ''),
                                   nullif(current_setting('fibric.tenant_ids', true), '')) is not null))$policy$, policy, target, shown);
end $procedure$
;

CREATE OR REPLACE PROCEDURE fibric.wall(IN target regclass, IN app_verbs text, IN worker_verbs text)
 LANGUAGE plpgsql
AS $procedure$
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
end $procedure$
;
