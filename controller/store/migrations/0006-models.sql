-- workers: stop
-- Models: what was asked and what it cost, and what may happen once only.

-- A row before it happens, a result after it: a key without a result is in doubt. Results hold digests, never payload.
create table fibric.once (
  tenant_id text not null,
  reseller_id text,
  key text not null,
  began_at timestamptz not null,
  ended_at timestamptz,
  result jsonb,
  primary key (tenant_id, key),
  check ((ended_at is null) = (result is null))
);
call fibric.wall('fibric.once', 'select', 'select, insert, update, delete');

-- One row a call of a model. What it may cost is reserved before it is made and settled after it; a row that stays
-- `reserved` was lost with its process, and counts. Prompt and output lie in fibric.evidence, by digest.
create table fibric.model_call (
  tenant_id text not null,
  reseller_id text,
  call_id text not null,
  serial bigint generated always as identity,
  question text not null,
  policy text not null,
  model text not null,
  model_digest text not null,
  rating text,
  provider text not null,
  model_id text not null,
  max_tokens integer not null,
  -- The secret that was used, by name and version.
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
  state text not null check (state in ('reserved', 'answered', 'released', 'unknown')),
  reason text,
  created_at timestamptz not null,
  settled_at timestamptz,
  primary key (tenant_id, call_id),
  check ((state = 'answered') = (output_digest is not null)),
  check ((reserved is null) = (currency is null)),
  check ((secret is null) = (secret_version is null))
);
create index model_call_question on fibric.model_call (tenant_id, question);
create index model_call_spent on fibric.model_call (tenant_id, currency, created_at) where state <> 'released';
call fibric.wall('fibric.model_call', 'select', 'select, insert, update');

-- What a model may do, and which may be asked, is found by the ledger like any other rule: a row that is gone takes no
-- residency away.
drop index fibric.ledger_entry_governing;
create index ledger_entry_governing on fibric.ledger_entry (tenant_id, split_part(address, '/', 2), address)
  where split_part(address, '/', 2) in ('TrustPolicy', 'Operator', 'Tenant', 'User', 'Role', 'Deployment', 'Model', 'ModelPolicy',
    'ServiceTier', 'Skill');

-- What runs read, what they asked a model and what it answered, by digest: cited by runs, calls and the ledger. Unlike
-- configuration (fibric.content) it goes with the events it was made for.
create table fibric.evidence (
  tenant_id text not null,
  reseller_id text,
  digest text not null check (digest ~ '^sha256:[0-9a-f]{64}$'),
  purpose text not null check (purpose in ('prompt', 'output', 'witness')),
  bytes bytea not null,
  -- When it last came up.
  written_at timestamptz not null,
  primary key (tenant_id, digest),
  constraint evidence_hashes check (digest = 'sha256:' || encode(sha256(bytes), 'hex'))
);
call fibric.wall('fibric.evidence', 'select', 'select, insert, update, delete');
