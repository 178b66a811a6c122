-- workers: survive
-- What the API remembers of requests: first answers by idempotency key, how many a minute has seen, and refusals that
-- are not in the ledger yet.

-- The first answer to a request with an Idempotency-Key. A running one is somebody's as long as its lease lasts; the
-- attempt is the fence: whoever was overtaken cannot finish it. Answers may hold secrets shown once, so they are sealed.
create table fibric.request (
  tenant_id text not null,
  reseller_id text,
  route text not null,
  idempotency_key text not null,
  -- What was asked and by whom: another request under the same key is refused.
  digest text not null check (digest ~ '^sha256:[0-9a-f]{64}$'),
  request_id text not null,
  state text not null check (state in ('running', 'done')),
  attempt integer not null default 1,
  instance text not null,
  lease_until timestamptz not null,
  status smallint,
  answer bytea,
  created_at timestamptz not null,
  primary key (tenant_id, route, idempotency_key),
  constraint request_answered_iff_done check ((state = 'done') = (status is not null and answer is not null))
);
create index request_age on fibric.request (tenant_id, created_at);
call fibric.wall('fibric.request', 'select, insert, update, delete', 'select, update, delete');

-- Requests of the running minute, one row a domain. Replicas draw from it a handful at a time.
create table fibric.request_quota (
  tenant_id text not null primary key,
  reseller_id text,
  minute timestamptz not null,
  drawn integer not null
);
call fibric.wall('fibric.request_quota', 'select, insert, update', '');

-- Refusals of known credentials: equal ones within a minute become one ledger entry with a count once it is over.
create table fibric.refusal (
  tenant_id text not null,
  reseller_id text,
  minute timestamptz not null,
  key_id text not null,
  code text not null,
  route text not null,
  count integer not null,
  first_request_id text not null,
  primary key (tenant_id, minute, key_id, code, route)
);
call fibric.wall('fibric.refusal', 'select, insert, update, delete', 'select, delete');
