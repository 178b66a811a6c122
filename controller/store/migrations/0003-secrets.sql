-- workers: survive
-- Secrets under envelope encryption, the tokens that are made of them, and the gates of hosts that asked us to wait.
-- Workers see no secret: only the application's login, in the context of one domain, reads these rows.

-- One key a domain, sealed under the root. Rotation makes the next one and removes the last in one transaction;
-- without this row nothing sealed for the domain opens again, which is how off-boarding forgets.
create table fibric.tenant_key (
  tenant_id text not null,
  reseller_id text,
  key_id text not null check (key_id ~ '^[0-9a-f]{16}$'),
  sealed bytea not null,
  created_at timestamptz not null,
  current boolean not null default true,
  primary key (tenant_id, key_id)
);
create unique index tenant_key_current on fibric.tenant_key (tenant_id) where current;
call fibric.wall('fibric.tenant_key', 'select, insert, update, delete', '');

-- One row a version, kept for ever: a version's number is never given twice, because receipts name it. Its bytes go
-- when it is destroyed.
create table fibric.secret_version (
  tenant_id text not null,
  reseller_id text,
  name text not null,
  field text not null,
  version integer not null check (version > 0),
  tenant_key_id text,
  wrapped_key bytea,
  sealed bytea,
  created_by text not null,
  created_at timestamptz not null,
  -- Set on the version before the newest, while both are good.
  live_until timestamptz,
  destroyed_at timestamptz,
  primary key (tenant_id, name, field, version),
  foreign key (tenant_id, tenant_key_id) references fibric.tenant_key (tenant_id, key_id),
  constraint secret_version_whole check (num_nonnulls(tenant_key_id, wrapped_key, sealed) = case when destroyed_at is null then 3 else 0 end)
);
call fibric.wall('fibric.secret_version', 'select, insert, update', '');

-- Access tokens that replicas share, so that one of them refreshes and all others use what it got.
create table fibric.oauth_token (
  tenant_id text not null,
  reseller_id text,
  name text not null,
  -- Digest of the token's destination and scopes: one credential may serve several.
  audience text not null,
  version bigint not null,
  -- The versions of the credential's fields that the token, or the failure, is of.
  credential text,
  tenant_key_id text,
  wrapped_key bytea,
  sealed bytea,
  expires_at timestamptz,
  -- Earlier, by a margin with some chance in it.
  refresh_at timestamptz,
  failure text,
  lease_holder text,
  lease_until timestamptz,
  primary key (tenant_id, name, audience),
  foreign key (tenant_id, tenant_key_id) references fibric.tenant_key (tenant_id, key_id)
);
call fibric.wall('fibric.oauth_token', 'select, insert, update, delete', '');

-- A host that answered `Retry-After` is left alone by every replica until then.
create table fibric.egress_gate (
  tenant_id text not null,
  reseller_id text,
  host text not null,
  closed_until timestamptz not null,
  primary key (tenant_id, host)
);
call fibric.wall('fibric.egress_gate', 'select', 'select, insert, update');

-- A connection whose MCP server shows other tools than its connector pins: its calls are refused until one of the two is
-- brought into line.
create table fibric.connection_drift (
  tenant_id text not null,
  reseller_id text,
  address text not null,
  connection_digest text not null,
  -- Null where the connector pins nothing.
  pinned text,
  listed text not null,
  found_at timestamptz not null,
  primary key (tenant_id, address)
);
call fibric.wall('fibric.connection_drift', 'select', 'select, insert, update, delete');

-- What was found out about a tool against a provider's sandbox: whether its `effect` class holds there. The newest word
-- on a connector's version counts.
create table fibric.connection_drill (
  tenant_id text not null,
  reseller_id text,
  connector_digest text not null,
  capability text not null,
  effect text not null,
  passed boolean not null,
  connection text not null,
  person text not null,
  drilled_at timestamptz not null,
  primary key (tenant_id, connector_digest, capability)
);
call fibric.wall('fibric.connection_drill', 'select, insert, update', 'select');

-- Subscriptions at providers: for which ingest URL and connector version an event of a connection was registered last, and
-- by which action.
create table fibric.connection_registration (
  tenant_id text not null,
  reseller_id text,
  address text not null,
  event_type text not null,
  -- Digest of what the registration was made of: the URL, the connector's version, the arguments.
  wish text not null,
  -- The rules in force when it was asked for: what they refused is asked again once they have moved.
  rules text not null,
  connector text not null,
  connection_digest text not null,
  connector_digest text not null,
  action_id text not null,
  -- The undoing of it, once the connection has gone.
  ended_by text,
  made_at timestamptz not null,
  primary key (tenant_id, address, event_type)
);
call fibric.wall('fibric.connection_registration', 'select', 'select, insert, update, delete');
