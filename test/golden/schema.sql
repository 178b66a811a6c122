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
  effect jsonb,
  attempt jsonb,
  fence bigint,
  intent_at timestamp with time zone,
  constraint action_pkey PRIMARY KEY (tenant_id, action_id),
  constraint action_receipt_iff_terminal CHECK (((receipt_id IS NOT NULL) = (state = ANY (ARRAY['rejected'::text, 'skipped'::text, 'blocked'::text, 'deduplicated'::text, 'vetoed'::text, 'expired'::text, 'superseded'::text, 'applied'::text, 'failed'::text, 'cancelled'::text])))),
  constraint action_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'rejected'::text, 'skipped'::text, 'blocked'::text, 'deduplicated'::text, 'held'::text, 'vetoed'::text, 'expired'::text, 'superseded'::text, 'intent'::text, 'waiting'::text, 'unknown'::text, 'reconciling'::text, 'manual'::text, 'applied'::text, 'failed'::text, 'cancelled'::text]))),
  constraint action_tier_check CHECK (((tier >= 0) AND (tier <= 3)))
);
CREATE INDEX action_chained ON fibric.action USING btree (tenant_id, plan_id) WHERE ((effect IS NOT NULL) AND (state = 'planned'::text) AND (after <> '{}'::text[]));
CREATE INDEX action_change ON fibric.action USING btree (tenant_id, change_digest, created_at DESC) WHERE (change_digest IS NOT NULL);
CREATE UNIQUE INDEX action_claim ON fibric.action USING btree (tenant_id, idempotency_key) WHERE ((effect IS NULL) AND (state = ANY (ARRAY['held'::text, 'intent'::text, 'waiting'::text, 'unknown'::text, 'reconciling'::text, 'manual'::text, 'applied'::text])));
CREATE INDEX action_decided ON fibric.action USING btree (tenant_id, state_at DESC) WHERE (verdict IS NOT NULL);
CREATE INDEX action_deletes ON fibric.action USING btree (tenant_id, state_at) WHERE ((state = 'applied'::text) AND (capability ~~ 'config.%.delete'::text));
CREATE INDEX action_entity ON fibric.action USING btree (tenant_id, entity_key, created_at DESC) WHERE (effect IS NOT NULL);
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

create table fibric.alert (
  tenant_id text not null,
  reseller_id text,
  alert_id text not null,
  action_id text not null,
  policy text not null,
  rule text not null,
  raised_at timestamp with time zone not null,
  seen_at timestamp with time zone,
  seen_by text,
  seen_reason text,
  constraint alert_pkey PRIMARY KEY (tenant_id, alert_id),
  constraint alert_tenant_id_action_id_fkey FOREIGN KEY (tenant_id, action_id) REFERENCES fibric.action(tenant_id, action_id),
  constraint alert_tenant_id_action_id_policy_rule_key UNIQUE (tenant_id, action_id, policy, rule)
);
CREATE INDEX alert_unseen ON fibric.alert USING btree (tenant_id, alert_id) WHERE (seen_at IS NULL);
alter table fibric.alert enable row level security;
alter table fibric.alert force row level security;
create policy named_domains on fibric.alert for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.alert for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select on fibric.alert to fibric_worker;
grant select, update on fibric.alert to fibric_app;

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

create table fibric.breaker (
  tenant_id text not null,
  reseller_id text,
  connection text not null,
  failures integer not null,
  open_until timestamp with time zone,
  reason text not null,
  constraint breaker_pkey PRIMARY KEY (tenant_id, connection)
);
alter table fibric.breaker enable row level security;
alter table fibric.breaker force row level security;
create policy named_domains on fibric.breaker for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.breaker for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.breaker to fibric_worker;
grant select on fibric.breaker to fibric_app;

create table fibric.config_mark (
  tenant_id text not null,
  reseller_id text,
  moves bigint not null default 1,
  constraint config_mark_pkey PRIMARY KEY (tenant_id)
);
alter table fibric.config_mark enable row level security;
alter table fibric.config_mark force row level security;
create policy every_mark on fibric.config_mark for select to fibric_worker
  using (true);
create policy named_domains on fibric.config_mark for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.config_mark for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.config_mark to fibric_app;
grant insert, select, update on fibric.config_mark to fibric_worker;

create table fibric.connection_drift (
  tenant_id text not null,
  reseller_id text,
  address text not null,
  connection_digest text not null,
  pinned text,
  listed text not null,
  found_at timestamp with time zone not null,
  constraint connection_drift_pkey PRIMARY KEY (tenant_id, address)
);
alter table fibric.connection_drift enable row level security;
alter table fibric.connection_drift force row level security;
create policy named_domains on fibric.connection_drift for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.connection_drift for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.connection_drift to fibric_worker;
grant select on fibric.connection_drift to fibric_app;

create table fibric.connection_drill (
  tenant_id text not null,
  reseller_id text,
  connector_digest text not null,
  capability text not null,
  effect text not null,
  passed boolean not null,
  connection text not null,
  person text not null,
  drilled_at timestamp with time zone not null,
  constraint connection_drill_pkey PRIMARY KEY (tenant_id, connector_digest, capability)
);
alter table fibric.connection_drill enable row level security;
alter table fibric.connection_drill force row level security;
create policy named_domains on fibric.connection_drill for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.connection_drill for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.connection_drill to fibric_app;
grant select on fibric.connection_drill to fibric_worker;

create table fibric.connection_registration (
  tenant_id text not null,
  reseller_id text,
  address text not null,
  event_type text not null,
  wish text not null,
  rules text not null,
  connector text not null,
  connection_digest text not null,
  connector_digest text not null,
  action_id text not null,
  ended_by text,
  made_at timestamp with time zone not null,
  constraint connection_registration_pkey PRIMARY KEY (tenant_id, address, event_type)
);
alter table fibric.connection_registration enable row level security;
alter table fibric.connection_registration force row level security;
create policy named_domains on fibric.connection_registration for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.connection_registration for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.connection_registration to fibric_worker;
grant select on fibric.connection_registration to fibric_app;

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

create table fibric.dead_letter (
  tenant_id text not null,
  reseller_id text,
  letter_id text not null,
  reason text not null,
  message text not null,
  source text not null,
  event_type text not null,
  event_id text,
  consumer text,
  idempotency_key text,
  origin text not null,
  request bytea,
  body bytea,
  created_at timestamp with time zone not null,
  redriven_at timestamp with time zone,
  redriven_by text,
  redriven_to text,
  constraint dead_letter_pkey PRIMARY KEY (tenant_id, letter_id),
  constraint dead_letter_check CHECK (((redriven_at IS NULL) = (redriven_to IS NULL))),
  constraint dead_letter_origin_check CHECK ((origin = ANY (ARRAY['webhook'::text, 'poll'::text, 'internal'::text, 'run'::text])))
);
alter table fibric.dead_letter enable row level security;
alter table fibric.dead_letter force row level security;
create policy named_domains on fibric.dead_letter for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.dead_letter for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.dead_letter to fibric_worker;
grant select on fibric.dead_letter to fibric_app;

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

create table fibric.effect_claim (
  tenant_id text not null,
  reseller_id text,
  idempotency_key text not null,
  action_id text not null,
  args_digest text not null,
  authored boolean not null,
  claimed_at timestamp with time zone not null,
  binds_until timestamp with time zone,
  constraint effect_claim_pkey PRIMARY KEY (tenant_id, idempotency_key)
);
alter table fibric.effect_claim enable row level security;
alter table fibric.effect_claim force row level security;
create policy named_domains on fibric.effect_claim for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.effect_claim for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.effect_claim to fibric_worker;
grant select on fibric.effect_claim to fibric_app;

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

create table fibric.effect_minute (
  tenant_id text not null,
  reseller_id text,
  capability text not null,
  dimension text not null,
  value text not null,
  minute bigint not null,
  currency text not null,
  count bigint not null,
  total numeric not null,
  constraint effect_minute_pkey PRIMARY KEY (tenant_id, capability, dimension, value, minute, currency),
  constraint effect_minute_dimension_check CHECK ((dimension = ANY (ARRAY['tenant'::text, 'operator'::text, 'entity'::text, 'capability'::text])))
);
alter table fibric.effect_minute enable row level security;
alter table fibric.effect_minute force row level security;
create policy named_domains on fibric.effect_minute for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.effect_minute for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.effect_minute to fibric_worker;
grant select on fibric.effect_minute to fibric_app;

create table fibric.effect_queue (
  tenant_id text not null,
  reseller_id text,
  serial bigint generated always as identity not null,
  action_id text not null,
  entity_key text not null,
  queued_at timestamp with time zone not null,
  due_at timestamp with time zone not null,
  stopped boolean not null default false,
  constraint effect_queue_pkey PRIMARY KEY (tenant_id, action_id)
);
CREATE INDEX effect_queue_due ON fibric.effect_queue USING btree (tenant_id, due_at, serial) WHERE (due_at < 'infinity'::timestamp with time zone);
CREATE INDEX effect_queue_entity ON fibric.effect_queue USING btree (tenant_id, entity_key, serial);
CREATE INDEX effect_queue_waiting ON fibric.effect_queue USING btree (tenant_id) WHERE (due_at = 'infinity'::timestamp with time zone);
alter table fibric.effect_queue enable row level security;
alter table fibric.effect_queue force row level security;
create policy every_queue on fibric.effect_queue for select to fibric_worker
  using (true);
create policy named_domains on fibric.effect_queue for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.effect_queue for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.effect_queue to fibric_worker;
grant select on fibric.effect_queue to fibric_app;

create table fibric.egress_gate (
  tenant_id text not null,
  reseller_id text,
  host text not null,
  closed_until timestamp with time zone not null,
  constraint egress_gate_pkey PRIMARY KEY (tenant_id, host)
);
alter table fibric.egress_gate enable row level security;
alter table fibric.egress_gate force row level security;
create policy named_domains on fibric.egress_gate for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.egress_gate for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.egress_gate to fibric_worker;
grant select on fibric.egress_gate to fibric_app;

create table fibric.event (
  tenant_id text not null,
  reseller_id text,
  event_id text not null,
  serial bigint not null default nextval('fibric.event_serial'::regclass),
  xid bigint not null default ((pg_current_xact_id())::text)::bigint,
  workspace_id text,
  source text not null,
  event_type text not null,
  correlation_id text not null,
  agent_id text,
  session_id text,
  depth smallint not null default 0,
  idempotency_key text,
  origin text not null,
  body bytea,
  payload bytea,
  received_at timestamp with time zone not null,
  constraint event_pkey PRIMARY KEY (tenant_id, event_id, received_at),
  constraint event_has_payload CHECK (((payload IS NOT NULL) OR (body IS NOT NULL))),
  constraint event_origin_check CHECK ((origin = ANY (ARRAY['api'::text, 'webhook'::text, 'gateway'::text, 'poll'::text, 'internal'::text])))
);
CREATE INDEX event_by_serial ON ONLY fibric.event USING btree (serial);
CREATE INDEX event_unsequenced ON ONLY fibric.event USING btree (tenant_id, xid, serial) INCLUDE (received_at);
alter table fibric.event enable row level security;
alter table fibric.event force row level security;
create policy named_domains on fibric.event for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.event for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select on fibric.event to fibric_worker;
grant select on fibric.event to fibric_app;

create table fibric.event_consumer (
  tenant_id text not null,
  reseller_id text,
  consumer text not null,
  position bigint not null,
  state text not null,
  fence bigint not null default 0,
  lease_until timestamp with time zone not null,
  created_at timestamp with time zone not null,
  moved_at timestamp with time zone not null,
  constraint event_consumer_pkey PRIMARY KEY (tenant_id, consumer),
  constraint event_consumer_position_check CHECK (("position" >= 0)),
  constraint event_consumer_state_check CHECK ((state = ANY (ARRAY['active'::text, 'paused'::text])))
);
alter table fibric.event_consumer enable row level security;
alter table fibric.event_consumer force row level security;
create policy named_domains on fibric.event_consumer for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.event_consumer for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.event_consumer to fibric_worker;
grant select on fibric.event_consumer to fibric_app;

create table fibric.event_default (
  tenant_id text not null,
  reseller_id text,
  event_id text not null,
  serial bigint not null default nextval('fibric.event_serial'::regclass),
  xid bigint not null default ((pg_current_xact_id())::text)::bigint,
  workspace_id text,
  source text not null,
  event_type text not null,
  correlation_id text not null,
  agent_id text,
  session_id text,
  depth smallint not null default 0,
  idempotency_key text,
  origin text not null,
  body bytea,
  payload bytea,
  received_at timestamp with time zone not null,
  constraint event_default_pkey PRIMARY KEY (tenant_id, event_id, received_at),
  constraint event_has_payload CHECK (((payload IS NOT NULL) OR (body IS NOT NULL))),
  constraint event_origin_check CHECK ((origin = ANY (ARRAY['api'::text, 'webhook'::text, 'gateway'::text, 'poll'::text, 'internal'::text])))
);
CREATE INDEX event_default_serial_idx ON fibric.event_default USING btree (serial);
CREATE INDEX event_default_tenant_id_xid_serial_received_at_idx ON fibric.event_default USING btree (tenant_id, xid, serial) INCLUDE (received_at);
alter table fibric.event_default enable row level security;
alter table fibric.event_default force row level security;

create table fibric.event_lane (
  tenant_id text not null,
  reseller_id text,
  next bigint not null default 1,
  replays bigint not null default 0,
  seen pg_snapshot,
  cluster text,
  claims_from timestamp with time zone,
  moved_at timestamp with time zone not null,
  constraint event_lane_pkey PRIMARY KEY (tenant_id),
  constraint event_lane_next_check CHECK ((next > 0))
);
alter table fibric.event_lane enable row level security;
alter table fibric.event_lane force row level security;
create policy every_domain on fibric.event_lane for all to fibric_worker
  using (true)
  with check (true);
create policy own_domain on fibric.event_lane for select to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.event_lane to fibric_worker;
grant select on fibric.event_lane to fibric_app;

create table fibric.event_position (
  tenant_id text not null,
  reseller_id text,
  position bigint not null,
  serial bigint not null,
  received_at timestamp with time zone not null,
  constraint event_position_pkey PRIMARY KEY (tenant_id, "position"),
  constraint event_position_position_check CHECK (("position" > 0)),
  constraint event_position_serial_key UNIQUE (serial)
);
CREATE INDEX event_position_received ON fibric.event_position USING btree (tenant_id, received_at, "position");
alter table fibric.event_position enable row level security;
alter table fibric.event_position force row level security;
create policy named_domains on fibric.event_position for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.event_position for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select on fibric.event_position to fibric_worker;
grant select on fibric.event_position to fibric_app;

create table fibric.event_replay (
  tenant_id text not null,
  reseller_id text,
  replay_id text not null,
  consumer text not null,
  from_position bigint not null,
  to_position bigint not null,
  types text[] not null,
  position bigint not null,
  person text not null,
  created_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  constraint event_replay_pkey PRIMARY KEY (tenant_id, replay_id),
  constraint event_replay_check CHECK ((to_position >= from_position)),
  constraint event_replay_check1 CHECK ((("position" >= (from_position - 1)) AND ("position" <= to_position))),
  constraint event_replay_from_position_check CHECK ((from_position > 0))
);
CREATE INDEX event_replay_open ON fibric.event_replay USING btree (tenant_id, consumer, replay_id) WHERE (ended_at IS NULL);
alter table fibric.event_replay enable row level security;
alter table fibric.event_replay force row level security;
create policy named_domains on fibric.event_replay for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.event_replay for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.event_replay to fibric_worker;
grant select on fibric.event_replay to fibric_app;

create table fibric.evidence (
  tenant_id text not null,
  reseller_id text,
  digest text not null,
  purpose text not null,
  bytes bytea not null,
  written_at timestamp with time zone not null,
  constraint evidence_pkey PRIMARY KEY (tenant_id, digest),
  constraint evidence_digest_check CHECK ((digest ~ '^sha256:[0-9a-f]{64}$'::text)),
  constraint evidence_hashes CHECK ((digest = ('sha256:'::text || encode(sha256(bytes), 'hex'::text)))),
  constraint evidence_purpose_check CHECK ((purpose = ANY (ARRAY['prompt'::text, 'output'::text, 'witness'::text])))
);
alter table fibric.evidence enable row level security;
alter table fibric.evidence force row level security;
create policy named_domains on fibric.evidence for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.evidence for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.evidence to fibric_worker;
grant select on fibric.evidence to fibric_app;

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
CREATE INDEX execution_plan_config ON fibric.execution_plan USING btree (tenant_id, config_plan_id) WHERE (config_plan_id IS NOT NULL);
CREATE INDEX execution_plan_correlation ON fibric.execution_plan USING btree (tenant_id, correlation_id);
CREATE INDEX execution_plan_event ON fibric.execution_plan USING btree (tenant_id, event_id) WHERE (event_id IS NOT NULL);
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

create table fibric.ingest_generation (
  tenant_id text not null default 't_platform'::text,
  reseller_id text,
  generation bigint not null,
  began_at timestamp with time zone not null,
  constraint ingest_generation_pkey PRIMARY KEY (tenant_id),
  constraint ingest_generation_tenant_id_check CHECK ((tenant_id = 't_platform'::text))
);
alter table fibric.ingest_generation enable row level security;
alter table fibric.ingest_generation force row level security;
create policy the_one on fibric.ingest_generation for all to fibric_worker
  using (true)
  with check (true);
grant select, update on fibric.ingest_generation to fibric_worker;

create table fibric.ingest_key (
  slot smallint not null,
  tenant_id text not null,
  reseller_id text,
  source text not null,
  idempotency_key text not null,
  digest bytea not null,
  event_id text not null,
  constraint ingest_key_pkey PRIMARY KEY (slot, tenant_id, source, idempotency_key),
  constraint ingest_key_digest_check CHECK ((length(digest) = 32)),
  constraint ingest_key_slot_check CHECK (((slot >= 0) AND (slot <= 2)))
);
alter table fibric.ingest_key enable row level security;
alter table fibric.ingest_key force row level security;
create policy named_domains on fibric.ingest_key for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
grant insert, select on fibric.ingest_key to fibric_worker;

create table fibric.ingest_key_0 (
  slot smallint not null,
  tenant_id text not null,
  reseller_id text,
  source text not null,
  idempotency_key text not null,
  digest bytea not null,
  event_id text not null,
  constraint ingest_key_0_pkey PRIMARY KEY (slot, tenant_id, source, idempotency_key),
  constraint ingest_key_digest_check CHECK ((length(digest) = 32)),
  constraint ingest_key_slot_check CHECK (((slot >= 0) AND (slot <= 2)))
);
alter table fibric.ingest_key_0 enable row level security;
alter table fibric.ingest_key_0 force row level security;

create table fibric.ingest_key_1 (
  slot smallint not null,
  tenant_id text not null,
  reseller_id text,
  source text not null,
  idempotency_key text not null,
  digest bytea not null,
  event_id text not null,
  constraint ingest_key_1_pkey PRIMARY KEY (slot, tenant_id, source, idempotency_key),
  constraint ingest_key_digest_check CHECK ((length(digest) = 32)),
  constraint ingest_key_slot_check CHECK (((slot >= 0) AND (slot <= 2)))
);
alter table fibric.ingest_key_1 enable row level security;
alter table fibric.ingest_key_1 force row level security;

create table fibric.ingest_key_2 (
  slot smallint not null,
  tenant_id text not null,
  reseller_id text,
  source text not null,
  idempotency_key text not null,
  digest bytea not null,
  event_id text not null,
  constraint ingest_key_2_pkey PRIMARY KEY (slot, tenant_id, source, idempotency_key),
  constraint ingest_key_digest_check CHECK ((length(digest) = 32)),
  constraint ingest_key_slot_check CHECK (((slot >= 0) AND (slot <= 2)))
);
alter table fibric.ingest_key_2 enable row level security;
alter table fibric.ingest_key_2 force row level security;

create table fibric.ingest_meter (
  tenant_id text not null,
  reseller_id text,
  meter text not null,
  began_at timestamp with time zone not null,
  drawn bigint not null,
  constraint ingest_meter_pkey PRIMARY KEY (tenant_id, meter)
);
alter table fibric.ingest_meter enable row level security;
alter table fibric.ingest_meter force row level security;
create policy named_domains on fibric.ingest_meter for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.ingest_meter for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.ingest_meter to fibric_worker;
grant select on fibric.ingest_meter to fibric_app;

create table fibric.lease (
  tenant_id text not null,
  reseller_id text,
  entity_key text not null,
  action_id text not null,
  fence bigint not null,
  until timestamp with time zone,
  constraint lease_pkey PRIMARY KEY (tenant_id, entity_key)
);
CREATE INDEX lease_until ON fibric.lease USING btree (until) WHERE (until IS NOT NULL);
alter table fibric.lease enable row level security;
alter table fibric.lease force row level security;
create policy every_lease on fibric.lease for select to fibric_worker
  using (true);
create policy named_domains on fibric.lease for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.lease for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.lease to fibric_worker;
grant select on fibric.lease to fibric_app;

create table fibric.ledger_entry (
  tenant_id text not null,
  reseller_id text,
  entry_id text not null,
  serial bigint generated always as identity not null,
  xid bigint not null default ((pg_current_xact_id())::text)::bigint,
  kind text not null,
  bytes bytea not null,
  leaf bytea not null,
  address text,
  generation bigint,
  vacates text,
  about text,
  created_at timestamp with time zone not null,
  constraint ledger_entry_pkey PRIMARY KEY (tenant_id, entry_id),
  constraint ledger_entry_leaf_check CHECK ((length(leaf) = 32))
);
CREATE INDEX ledger_entry_about ON fibric.ledger_entry USING btree (tenant_id, about) WHERE (about IS NOT NULL);
CREATE UNIQUE INDEX ledger_entry_address ON fibric.ledger_entry USING btree (tenant_id, address, generation) WHERE (address IS NOT NULL);
CREATE INDEX ledger_entry_governing ON fibric.ledger_entry USING btree (tenant_id, split_part(address, '/'::text, 2), address) WHERE (split_part(address, '/'::text, 2) = ANY (ARRAY['TrustPolicy'::text, 'Operator'::text, 'Tenant'::text, 'User'::text, 'Role'::text, 'Deployment'::text, 'Model'::text, 'ModelPolicy'::text, 'ServiceTier'::text, 'Skill'::text]));
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
  low_xid bigint not null,
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

create table fibric.model_call (
  tenant_id text not null,
  reseller_id text,
  call_id text not null,
  serial bigint generated always as identity not null,
  question text not null,
  policy text not null,
  model text not null,
  model_digest text not null,
  rating text,
  provider text not null,
  model_id text not null,
  max_tokens integer not null,
  secret text,
  secret_version integer,
  prompt_digest text not null,
  output_digest text,
  stop text,
  input_tokens integer,
  output_tokens integer,
  currency text,
  reserved numeric,
  cost numeric,
  state text not null,
  reason text,
  created_at timestamp with time zone not null,
  settled_at timestamp with time zone,
  constraint model_call_pkey PRIMARY KEY (tenant_id, call_id),
  constraint model_call_check CHECK (((state = 'answered'::text) = (output_digest IS NOT NULL))),
  constraint model_call_check1 CHECK (((reserved IS NULL) = (currency IS NULL))),
  constraint model_call_check2 CHECK (((secret IS NULL) = (secret_version IS NULL))),
  constraint model_call_state_check CHECK ((state = ANY (ARRAY['reserved'::text, 'answered'::text, 'released'::text, 'unknown'::text])))
);
CREATE INDEX model_call_question ON fibric.model_call USING btree (tenant_id, question);
CREATE INDEX model_call_spent ON fibric.model_call USING btree (tenant_id, currency, created_at) WHERE (state <> 'released'::text);
alter table fibric.model_call enable row level security;
alter table fibric.model_call force row level security;
create policy named_domains on fibric.model_call for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.model_call for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.model_call to fibric_worker;
grant select on fibric.model_call to fibric_app;

create table fibric.oauth_token (
  tenant_id text not null,
  reseller_id text,
  name text not null,
  audience text not null,
  version bigint not null,
  credential text,
  tenant_key_id text,
  wrapped_key bytea,
  sealed bytea,
  expires_at timestamp with time zone,
  refresh_at timestamp with time zone,
  failure text,
  lease_holder text,
  lease_until timestamp with time zone,
  constraint oauth_token_pkey PRIMARY KEY (tenant_id, name, audience),
  constraint oauth_token_tenant_id_tenant_key_id_fkey FOREIGN KEY (tenant_id, tenant_key_id) REFERENCES fibric.tenant_key(tenant_id, key_id)
);
alter table fibric.oauth_token enable row level security;
alter table fibric.oauth_token force row level security;
create policy own_domain on fibric.oauth_token for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.oauth_token to fibric_app;

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

create table fibric.once (
  tenant_id text not null,
  reseller_id text,
  key text not null,
  began_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  result jsonb,
  constraint once_pkey PRIMARY KEY (tenant_id, key),
  constraint once_check CHECK (((ended_at IS NULL) = (result IS NULL)))
);
alter table fibric.once enable row level security;
alter table fibric.once force row level security;
create policy named_domains on fibric.once for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.once for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.once to fibric_worker;
grant select on fibric.once to fibric_app;

create table fibric.operator_pause (
  tenant_id text not null,
  reseller_id text,
  address text not null,
  reason text not null,
  person text not null,
  created_at timestamp with time zone not null,
  constraint operator_pause_pkey PRIMARY KEY (tenant_id, address)
);
alter table fibric.operator_pause enable row level security;
alter table fibric.operator_pause force row level security;
create policy named_domains on fibric.operator_pause for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.operator_pause for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.operator_pause to fibric_app;
grant select on fibric.operator_pause to fibric_worker;

create table fibric.poller (
  tenant_id text not null,
  reseller_id text,
  connection_id text not null,
  connection text not null,
  event_type text not null,
  state bytea not null,
  fence bigint not null default 0,
  lease_until timestamp with time zone not null,
  due_at timestamp with time zone not null,
  failures integer not null default 0,
  reason text,
  message text,
  failing_since timestamp with time zone,
  polled_at timestamp with time zone,
  constraint poller_pkey PRIMARY KEY (tenant_id, connection_id, event_type)
);
alter table fibric.poller enable row level security;
alter table fibric.poller force row level security;
create policy named_domains on fibric.poller for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.poller for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.poller to fibric_worker;
grant select on fibric.poller to fibric_app;

create table fibric.refusal (
  tenant_id text not null,
  reseller_id text,
  minute timestamp with time zone not null,
  key_id text not null,
  code text not null,
  route text not null,
  count integer not null,
  first_request_id text not null,
  constraint refusal_pkey PRIMARY KEY (tenant_id, minute, key_id, code, route)
);
alter table fibric.refusal enable row level security;
alter table fibric.refusal force row level security;
create policy named_domains on fibric.refusal for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.refusal for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.refusal to fibric_app;
grant delete, select on fibric.refusal to fibric_worker;

create table fibric.request (
  tenant_id text not null,
  reseller_id text,
  route text not null,
  idempotency_key text not null,
  digest text not null,
  request_id text not null,
  state text not null,
  attempt integer not null default 1,
  instance text not null,
  lease_until timestamp with time zone not null,
  status smallint,
  answer bytea,
  created_at timestamp with time zone not null,
  constraint request_pkey PRIMARY KEY (tenant_id, route, idempotency_key),
  constraint request_answered_iff_done CHECK (((state = 'done'::text) = ((status IS NOT NULL) AND (answer IS NOT NULL)))),
  constraint request_digest_check CHECK ((digest ~ '^sha256:[0-9a-f]{64}$'::text)),
  constraint request_state_check CHECK ((state = ANY (ARRAY['running'::text, 'done'::text])))
);
CREATE INDEX request_age ON fibric.request USING btree (tenant_id, created_at);
alter table fibric.request enable row level security;
alter table fibric.request force row level security;
create policy named_domains on fibric.request for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.request for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.request to fibric_app;
grant delete, select, update on fibric.request to fibric_worker;

create table fibric.request_quota (
  tenant_id text not null,
  reseller_id text,
  minute timestamp with time zone not null,
  drawn integer not null,
  constraint request_quota_pkey PRIMARY KEY (tenant_id)
);
alter table fibric.request_quota enable row level security;
alter table fibric.request_quota force row level security;
create policy own_domain on fibric.request_quota for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.request_quota to fibric_app;

create table fibric.root_key (
  only_one boolean not null default true,
  key_id text not null,
  constraint root_key_pkey PRIMARY KEY (only_one),
  constraint root_key_only_one_check CHECK (only_one)
);
grant select on fibric.root_key to fibric_app;
grant select on fibric.root_key to fibric_worker;

create table fibric.run (
  tenant_id text not null,
  reseller_id text,
  run_id text not null,
  operator_id text not null,
  operator text not null,
  delivery_id text not null,
  event_id text,
  correlation_id text not null,
  depth integer not null,
  state text not null,
  deaths integer not null default 0,
  cause text,
  plan_id text,
  witness_digest text,
  entry_id text,
  created_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  constraint run_pkey PRIMARY KEY (tenant_id, run_id),
  constraint run_state_check CHECK ((state = ANY (ARRAY['begun'::text, 'recorded'::text, 'rejected'::text, 'dead'::text]))),
  constraint run_tenant_id_operator_id_delivery_id_key UNIQUE (tenant_id, operator_id, delivery_id)
);
CREATE INDEX run_begun ON fibric.run USING btree (tenant_id, operator) WHERE (state = 'begun'::text);
CREATE INDEX run_correlation ON fibric.run USING btree (tenant_id, correlation_id);
CREATE INDEX run_event ON fibric.run USING btree (tenant_id, event_id) WHERE (event_id IS NOT NULL);
CREATE INDEX run_operator ON fibric.run USING btree (tenant_id, operator, run_id);
alter table fibric.run enable row level security;
alter table fibric.run force row level security;
create policy named_domains on fibric.run for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.run for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.run to fibric_worker;
grant select on fibric.run to fibric_app;

create table fibric.schedule_tick (
  tenant_id text not null,
  reseller_id text,
  schedule_id text not null,
  schedule text not null,
  ticked_at timestamp with time zone not null,
  constraint schedule_tick_pkey PRIMARY KEY (tenant_id, schedule_id)
);
alter table fibric.schedule_tick enable row level security;
alter table fibric.schedule_tick force row level security;
create policy named_domains on fibric.schedule_tick for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.schedule_tick for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.schedule_tick to fibric_worker;
grant select on fibric.schedule_tick to fibric_app;

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

create table fibric.secret_version (
  tenant_id text not null,
  reseller_id text,
  name text not null,
  field text not null,
  version integer not null,
  tenant_key_id text,
  wrapped_key bytea,
  sealed bytea,
  created_by text not null,
  created_at timestamp with time zone not null,
  live_until timestamp with time zone,
  destroyed_at timestamp with time zone,
  constraint secret_version_pkey PRIMARY KEY (tenant_id, name, field, version),
  constraint secret_version_tenant_id_tenant_key_id_fkey FOREIGN KEY (tenant_id, tenant_key_id) REFERENCES fibric.tenant_key(tenant_id, key_id),
  constraint secret_version_version_check CHECK ((version > 0)),
  constraint secret_version_whole CHECK ((num_nonnulls(tenant_key_id, wrapped_key, sealed) =
CASE
    WHEN (destroyed_at IS NULL) THEN 3
    ELSE 0
END))
);
alter table fibric.secret_version enable row level security;
alter table fibric.secret_version force row level security;
create policy own_domain on fibric.secret_version for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.secret_version to fibric_app;

create table fibric.stop (
  tenant_id text not null,
  reseller_id text,
  stop_id text not null,
  scope text not null,
  name text not null,
  pattern text,
  reason text not null,
  person text not null,
  created_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  ended_by text,
  constraint stop_pkey PRIMARY KEY (tenant_id, stop_id),
  constraint stop_scope_check CHECK ((scope = ANY (ARRAY['tenant'::text, 'operator'::text, 'capability'::text, 'connection'::text])))
);
CREATE UNIQUE INDEX stop_in_force ON fibric.stop USING btree (tenant_id, scope, name) WHERE (ended_at IS NULL);
alter table fibric.stop enable row level security;
alter table fibric.stop force row level security;
create policy named_domains on fibric.stop for all to fibric_worker
  using ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)))
  with check ((tenant_id IN ( SELECT unnest(string_to_array(NULLIF(current_setting('fibric.tenant_ids'::text, true), ''::text), ','::text)) AS unnest)));
create policy own_domain on fibric.stop for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant insert, select, update on fibric.stop to fibric_app;
grant select on fibric.stop to fibric_worker;

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

create table fibric.tenant_key (
  tenant_id text not null,
  reseller_id text,
  key_id text not null,
  sealed bytea not null,
  created_at timestamp with time zone not null,
  current boolean not null default true,
  constraint tenant_key_pkey PRIMARY KEY (tenant_id, key_id),
  constraint tenant_key_key_id_check CHECK ((key_id ~ '^[0-9a-f]{16}$'::text))
);
CREATE UNIQUE INDEX tenant_key_current ON fibric.tenant_key USING btree (tenant_id) WHERE current;
alter table fibric.tenant_key enable row level security;
alter table fibric.tenant_key force row level security;
create policy own_domain on fibric.tenant_key for all to fibric_app
  using ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)))
  with check ((tenant_id = NULLIF(current_setting('fibric.tenant_id'::text, true), ''::text)));
grant delete, insert, select, update on fibric.tenant_key to fibric_app;

CREATE OR REPLACE FUNCTION fibric.claim_effects(tenants text[], actions text[], entities text[], expected text[], becomes text[], keys text[], args_digests text[], authored boolean[], within_ms bigint[], epochs bigint[], platform_epoch bigint, operators text[], capabilities text[], connections text[], lease_ms integer[], verdicts text[], facts text[], policies text[], tries text[], causes text[], expiries timestamp with time zone[], receipts text[], entry_kinds text[], entry_bytes bytea[], entry_leaves bytea[], guards jsonb, counts jsonb, at timestamp with time zone)
 RETURNS TABLE(item integer, result text, fence bigint, detail text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
declare
  n constant integer := cardinality(actions);
  results text[] := array_fill('gone'::text, array[greatest(n, 1)]);
  details text[] := array_fill(null::text, array[greatest(n, 1)]);
  fences bigint[] := array_fill(null::bigint, array[greatest(n, 1)]);
  open integer[];
  won integer[];
  seen record;
begin
  if n = 0 then return; end if;

  select coalesce(array_agg(locked.i), '{}') into open
    from (select w.i::integer as i
            from unnest(tenants, actions) with ordinality as w (tenant, action, i)
            join fibric.effect_queue q on q.tenant_id = w.tenant and q.action_id = w.action and q.due_at < 'infinity'
           order by q.tenant_id, q.action_id
             for update of q skip locked) locked;
  open := open || array(select i from generate_series(1, n) as i where expected[i] is null);

  -- Is it still what it was, under the rules it was judged by, and does nobody stop it or come first?
  for seen in
    select w.i,
           case
             when expected[w.i] is not null and a.state is distinct from expected[w.i] then 'gone'
             when epochs[w.i] is not null and (d.rules_epoch <> epochs[w.i] or p.rules_epoch <> platform_epoch) then 'regate'
             when becomes[w.i] in ('intent', 'reconciling') and s.stop_id is not null then 'stopped'
             when expected[w.i] is null and exists (
                    select from fibric.breaker b
                     where b.tenant_id = tenants[w.i] and b.connection = connections[w.i] and b.failures > 0) then 'broken'
             when becomes[w.i] = 'intent' and expected[w.i] is distinct from 'waiting' and exists (
                    select from fibric.effect_queue f
                     where f.tenant_id = tenants[w.i] and f.entity_key = coalesce(q.entity_key, entities[w.i])
                       and (q.serial is null or f.serial < q.serial) and not f.stopped) then 'busy'
             else 'open'
           end as result,
           s.stop_id
      from unnest(open) as w (i)
     -- Each by its own key: joined freely, a plan made while the tables were new reads all rows of the tenant.
      left join lateral (
       select a.state from fibric.action a where a.tenant_id = tenants[w.i] and a.action_id = actions[w.i] offset 0) a on true
      left join lateral (
       select * from fibric.effect_queue q where q.tenant_id = tenants[w.i] and q.action_id = actions[w.i] offset 0) q on true
      join fibric.domain d on d.tenant_id = tenants[w.i]
      join fibric.domain p on p.tenant_id = 't_platform'
      left join lateral (
        select s.stop_id
          from fibric.stop s
         where s.tenant_id = tenants[w.i]
           and s.ended_at is null
           and case s.scope
                 when 'tenant' then true
                 when 'operator' then s.name = operators[w.i]
                 when 'connection' then s.name = connections[w.i]
                 else capabilities[w.i] ~ s.pattern
               end
         limit 1) s on true
  loop
    results[seen.i] := seen.result;
    if seen.result = 'stopped' then details[seen.i] := seen.stop_id; end if;
  end loop;
  open := array(select i from unnest(open) as i where results[i] = 'open');

  -- Reservations line up at the counters' rows, in key order; what the gate saw must still be so behind the lock.
  if guards is not null then
    insert into fibric.effect_counter (tenant_id, capability, dimension, value, buckets)
    select distinct tenants[g.i], g.capability, g.dimension, g.value, '{}'::jsonb
      from jsonb_to_recordset(guards) as g (i integer, capability text, dimension text, value text)
     where g.i = any(open)
     order by 1, 2, 3, 4
        on conflict do nothing;
  end if;
  if counts is not null then
    perform
       from fibric.effect_counter c
      where exists (select from jsonb_to_recordset(counts) as w (i integer, capability text, dimension text, value text)
                     where w.i = any(open) and c.tenant_id = tenants[w.i]
                       and c.capability = w.capability and c.dimension = w.dimension and c.value = w.value)
      order by c.tenant_id, c.capability, c.dimension, c.value
        for update;
  end if;
  if guards is not null then
    for seen in
      select g.i
        from jsonb_to_recordset(guards) as g (i integer, capability text, dimension text, value text, since bigint, count bigint, total numeric)
        left join lateral (select sum(m.count) as count, sum(m.total) as total
                             from fibric.effect_minute m
                            where m.tenant_id = tenants[g.i] and m.capability = g.capability and m.dimension = g.dimension
                              and m.value = g.value and m.minute >= g.since) m on true
       where g.i = any(open) and (coalesce(m.count, 0) <> g.count or coalesce(m.total, 0) <> g.total)
    loop
      results[seen.i] := 'regate';
    end loop;
    open := array(select i from unnest(open) as i where results[i] = 'open');
  end if;

  -- The entity. A lease that ran out is still its action's: recovery decides what became of that first.
  for seen in
    with taken as (
      insert into fibric.lease as l (tenant_id, entity_key, action_id, fence, until)
      select w.tenant, w.entity, w.action, nextval('fibric.fence'), clock_timestamp() + w.ms * interval '1 millisecond'
        from (select tenants[i] as tenant, entities[i] as entity, actions[i] as action, lease_ms[i] as ms
                from unnest(open) as i
               where becomes[i] in ('intent', 'reconciling')
               order by 1, 2) w
          on conflict (tenant_id, entity_key) do update
         set fence = excluded.fence, until = excluded.until
       where l.action_id = excluded.action_id
      returning l.tenant_id, l.action_id, l.fence)
    select i, t.fence, h.action_id as holder
      from unnest(open) as i
      left join taken t on t.tenant_id = tenants[i] and t.action_id = actions[i]
      left join fibric.lease h on h.tenant_id = tenants[i] and h.entity_key = entities[i]
     where becomes[i] in ('intent', 'reconciling')
  loop
    if seen.fence is null then
      results[seen.i] := 'busy';
      details[seen.i] := seen.holder;
    else
      fences[seen.i] := seen.fence;
    end if;
  end loop;
  open := array(select i from unnest(open) as i where results[i] = 'open');

  -- The key. Its own claim, from a hold or an earlier attempt, stays as it was made.
  with claimed as (
    insert into fibric.effect_claim as c (tenant_id, idempotency_key, action_id, args_digest, authored, claimed_at, binds_until)
    select tenants[i], keys[i], actions[i], args_digests[i], authored[i], at, at + within_ms[i] * interval '1 millisecond'
      from unnest(open) as i
     where becomes[i] in ('intent', 'held')
     order by 1, 2
        on conflict (tenant_id, idempotency_key) do update
       set action_id = excluded.action_id,
           args_digest = excluded.args_digest,
           authored = excluded.authored,
           claimed_at = case when c.action_id = excluded.action_id then c.claimed_at else excluded.claimed_at end,
           binds_until = case when c.action_id = excluded.action_id then c.binds_until else excluded.binds_until end
     where c.action_id = excluded.action_id
        or (c.binds_until <= excluded.claimed_at
            -- One that has not ended keeps its key, however short the author wanted it to bind.
            and not exists (select from fibric.action h
                             where h.tenant_id = c.tenant_id and h.action_id = c.action_id and h.state <> 'applied'))
    returning c.tenant_id, c.action_id)
  select array_agg(i) into won
    from unnest(open) as i
   where becomes[i] not in ('intent', 'held')
      or exists (select from claimed where claimed.tenant_id = tenants[i] and claimed.action_id = actions[i]);
  won := coalesce(won, '{}');
  if cardinality(won) < cardinality(open) then
    for seen in select i from unnest(open) as i where not i = any(won) loop
      results[seen.i] := 'duplicate';
    end loop;
    delete from fibric.lease l
     using unnest(open) as i
     where not i = any(won) and l.tenant_id = tenants[i] and l.entity_key = entities[i] and l.action_id = actions[i];
    open := won;
  end if;

  if counts is not null then
    insert into fibric.effect_minute as m (tenant_id, capability, dimension, value, minute, currency, count, total)
    select tenants[w.i], w.capability, w.dimension, w.value, w.minute, w.currency, count(*), sum(w.amount)
      from jsonb_to_recordset(counts) as w (i integer, capability text, dimension text, value text, minute bigint, currency text, amount numeric)
     where w.i = any(open) and becomes[w.i] = 'intent'
     group by 1, 2, 3, 4, 5, 6
     order by 1, 2, 3, 4, 5, 6
        on conflict (tenant_id, capability, dimension, value, minute, currency) do update
       set count = m.count + excluded.count, total = m.total + excluded.total;
  end if;

  update fibric.action a
     set state = becomes[i],
         state_at = at,
         fence = coalesce(fences[i], a.fence),
         intent_at = case when becomes[i] = 'intent' then at else a.intent_at end,
         -- To ask what became of it is no attempt.
         attempts = coalesce((tries[i]::jsonb ->> 'number')::integer, a.attempts),
         attempt = coalesce(tries[i]::jsonb, a.attempt),
         verdict = coalesce(verdicts[i]::jsonb, a.verdict),
         policy_digest = coalesce(policies[i], a.policy_digest),
         gate_input = case when facts[i] is null then a.gate_input else a.gate_input || facts[i]::jsonb end,
         cause = causes[i],
         expires_at = coalesce(a.expires_at, expiries[i]),
         receipt_id = receipts[i]
    from unnest(open) as i
   where expected[i] is not null and a.tenant_id = tenants[i] and a.action_id = actions[i];

  insert into fibric.ledger_entry (tenant_id, reseller_id, entry_id, kind, bytes, leaf, created_at)
  select tenants[i], d.reseller_id, receipts[i], entry_kinds[i], entry_bytes[i], entry_leaves[i], at
    from unnest(open) as i
    join fibric.domain d on d.tenant_id = tenants[i]
   where receipts[i] is not null;

  -- What ended or is held gives up what it had; what a person has to decide keeps its entity.
  delete from fibric.lease l
   using unnest(open) as i
   where (receipts[i] is not null or becomes[i] = 'held')
     and l.tenant_id = tenants[i] and l.entity_key = entities[i] and l.action_id = actions[i];
  delete from fibric.effect_claim c
   using unnest(open) as i
   where receipts[i] is not null and c.tenant_id = tenants[i] and c.idempotency_key = keys[i] and c.action_id = actions[i];
  delete from fibric.effect_queue q
   using unnest(open) as i
   where q.tenant_id = tenants[i] and q.action_id = actions[i];
  perform fibric.wake_waiters(array_agg(tenants[i]), array_agg(entities[i]))
     from unnest(open) as i
    where receipts[i] is not null or becomes[i] = 'held';

  update fibric.effect_queue q
     set due_at = case results[i] when 'busy' then 'infinity'::timestamptz else now() + interval '2 seconds' end,
         stopped = results[i] = 'stopped'
    from generate_series(1, n) as i
   where results[i] in ('busy', 'stopped') and q.tenant_id = tenants[i] and q.action_id = actions[i];

  return query
    select i, case results[i] when 'open' then 'done' else results[i] end, fences[i], details[i]
      from generate_series(1, n) as i;
end $function$
;

CREATE OR REPLACE FUNCTION fibric.drop_event_partition(week date)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
declare
  monday date := date_trunc('week', week::timestamp)::date;
  name text := 'event_' || to_char(monday, 'YYYYMMDD');
begin
  perform pg_advisory_xact_lock(7230411805);
  if to_regclass('fibric.' || name) is null then return false; end if;
  if (monday + 7)::timestamp at time zone 'UTC' > now() then raise exception 'that week is not over'; end if;
  execute format('drop table fibric.%I', name);
  return true;
end $function$
;

CREATE OR REPLACE FUNCTION fibric.empty_ingest_slot(slot smallint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
begin
  if slot not between 0 and 2 then raise exception 'no such slot'; end if;
  execute format('truncate fibric.ingest_key_%s', slot);
end $function$
;

CREATE OR REPLACE FUNCTION fibric.last_serials()
 RETURNS TABLE(entries bigint, events bigint)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  select (select last_value from fibric.ledger_entry_serial_seq), (select last_value from fibric.event_serial)
$function$
;

CREATE OR REPLACE FUNCTION fibric.make_event_partition(week date)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
declare
  monday date := date_trunc('week', week::timestamp)::date;
  name text := 'event_' || to_char(monday, 'YYYYMMDD');
begin
  perform pg_advisory_xact_lock(7230411805);
  if to_regclass('fibric.' || name) is not null then return false; end if;
  execute format('create table fibric.%I (like fibric.event including defaults including constraints)', name);
  execute format('call fibric.wall(%L, %L, %L)', 'fibric.' || name, '', '');
  begin
    execute format('alter table fibric.event attach partition fibric.%I for values from (%L) to (%L)', name,
      monday::timestamp at time zone 'UTC', (monday + 7)::timestamp at time zone 'UTC');
  exception when check_violation then
    execute format('drop table fibric.%I', name);
    return false;
  end;
  return true;
end $function$
;

CREATE OR REPLACE FUNCTION fibric.settle_effects(tenants text[], actions text[], entities text[], keys text[], expected text[], fences bigint[], becomes text[], tries text[], causes text[], due_ms bigint[], keeps_entity boolean[], receipts text[], entry_ids text[], entry_kinds text[], entry_bytes bytea[], entry_leaves bytea[], releases jsonb, at timestamp with time zone)
 RETURNS TABLE(item integer)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
declare
  open integer[];
begin
  -- In the order of the entities, in which claims take them.
  select coalesce(array_agg(locked.i order by tenants[locked.i], entities[locked.i]), '{}') into open
    from (select w.i::integer as i
            from unnest(tenants, actions) with ordinality as w (tenant, action, i)
            join fibric.action a on a.tenant_id = w.tenant and a.action_id = w.action
           where a.state = expected[w.i] and a.fence is not distinct from fences[w.i]
           order by a.tenant_id, a.action_id
             for update of a) locked;

  update fibric.action a
     set state = becomes[i],
         state_at = at,
         -- An answer that came late stays known, whatever the attempt after it came to.
         attempt = coalesce(case when a.attempt ? 'late' then jsonb_build_object('late', a.attempt -> 'late') || tries[i]::jsonb
                                else tries[i]::jsonb end, a.attempt),
         cause = causes[i],
         receipt_id = receipts[i]
    from unnest(open) as i
   where a.tenant_id = tenants[i] and a.action_id = actions[i];

  delete from fibric.lease l
   using unnest(open) as i
   where not keeps_entity[i] and l.tenant_id = tenants[i] and l.entity_key = entities[i] and l.action_id = actions[i];
  update fibric.lease l
     set until = null
    from unnest(open) as i
   where keeps_entity[i] and l.tenant_id = tenants[i] and l.entity_key = entities[i] and l.action_id = actions[i];
  delete from fibric.effect_queue q
   using unnest(open) as i
   where due_ms[i] is null and q.tenant_id = tenants[i] and q.action_id = actions[i];
  -- Not applied: whoever asks again is judged anew.
  delete from fibric.effect_claim c
   using (select i from unnest(open) as i
           where receipts[i] is not null and becomes[i] <> 'applied'
           order by tenants[i], keys[i]) as w (i)
   where c.tenant_id = tenants[w.i] and c.idempotency_key = keys[w.i] and c.action_id = actions[w.i];

  if releases is not null then
    update fibric.effect_minute m
       set count = m.count - w.count, total = m.total - w.total
      from (select tenants[r.i] as tenant, r.capability, r.dimension, r.value, r.minute, r.currency, count(*) as count, sum(r.amount) as total
              from jsonb_to_recordset(releases) as r (i integer, capability text, dimension text, value text, minute bigint, currency text, amount numeric)
             where r.i = any(open)
             group by 1, 2, 3, 4, 5, 6
             order by 1, 2, 3, 4, 5, 6) w
     where m.tenant_id = w.tenant and m.capability = w.capability and m.dimension = w.dimension and m.value = w.value
       and m.minute = w.minute and m.currency = w.currency;
  end if;

  insert into fibric.ledger_entry (tenant_id, reseller_id, entry_id, kind, bytes, leaf, about, created_at)
  select tenants[i], d.reseller_id, entry_ids[i], entry_kinds[i], entry_bytes[i], entry_leaves[i],
         case when entry_kinds[i] <> 'receipt' then actions[i] end, at
    from unnest(open) as i
    join fibric.domain d on d.tenant_id = tenants[i]
   where entry_ids[i] is not null;

  insert into fibric.effect_queue (tenant_id, action_id, entity_key, queued_at, due_at)
  -- One that gave its entity up while it is in doubt stands in nobody's way.
  select tenants[i], actions[i], case when keeps_entity[i] then entities[i] else 'action:' || actions[i] end,
         now(), now() + due_ms[i] * interval '1 millisecond'
    from unnest(open) as i
   where due_ms[i] is not null
   order by 1, 2
      on conflict (tenant_id, action_id) do update set due_at = excluded.due_at;

  perform fibric.wake_waiters(array_agg(tenants[i]), array_agg(entities[i]))
     from unnest(open) as i
    where not keeps_entity[i];

  return query select unnest(open);
end $function$
;

CREATE OR REPLACE PROCEDURE fibric.share(IN target regclass, IN policy text, IN shown text)
 LANGUAGE plpgsql
AS $procedure$
begin
  execute format($policy$create policy %I on %s for select to fibric_app, fibric_worker
    using (%s and (select coalesce(nullif(current_setting('fibric.tenant_id', true), ''),
                                   nullif(current_setting('fibric.tenant_ids', true), '')) is not null))$policy$, policy, target, shown);
end $procedure$
;

CREATE OR REPLACE FUNCTION fibric.wake_waiters(tenants text[], entities text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
begin
  update fibric.effect_queue q
     set due_at = q.queued_at
    from (select distinct w.tenant, w.entity from unnest(tenants, entities) as w (tenant, entity) order by 1, 2) w
   cross join lateral (select f.tenant_id, f.action_id
                         from fibric.effect_queue f
                        where f.tenant_id = w.tenant and f.entity_key = w.entity and f.due_at = 'infinity'
                        order by f.serial
                        limit 1
                          for update skip locked) first
   where q.tenant_id = first.tenant_id and q.action_id = first.action_id;
end $function$
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
