-- workers: survive
-- Events: the append-only log, the positions that a fenced sequencer gives, cursors of consumers, replays, the keys that
-- deduplicate, and dead letters. Only the worker writes here; the application login reads its own domain.

-- The log. Partitioned by time so that what retention lets go is dropped whole; nothing in it is ever updated. Ids are
-- made from received_at, so looking one up by id finds its partition.
create sequence fibric.event_serial;
grant usage on sequence fibric.event_serial to fibric_worker;

create table fibric.event (
  tenant_id text not null,
  reseller_id text,
  event_id text not null,
  serial bigint not null default nextval('fibric.event_serial'),
  -- Not xid8: its comparisons are not leakproof, so behind row security no index could be used for them.
  xid bigint not null default pg_current_xact_id()::text::bigint,
  workspace_id text,
  source text not null,
  event_type text not null,
  correlation_id text not null,
  agent_id text,
  session_id text,
  -- How many runs led to it: what a run emits carries its depth and one.
  depth smallint not null default 0,
  idempotency_key text,
  origin text not null check (origin in ('api', 'webhook', 'gateway', 'poll', 'internal')),
  -- Both are text of JSON or what was received, kept as bytes: jsonb could not hold every text, and would not keep any
  -- as it came. A null payload says that the body itself is it.
  body bytea,
  payload bytea,
  received_at timestamptz not null,
  primary key (tenant_id, event_id, received_at),
  constraint event_has_payload check (payload is not null or body is not null)
) partition by range (received_at);
-- What the sequencer reads.
create index event_unsequenced on fibric.event (tenant_id, xid, serial) include (received_at);
-- From a position to its event. One index fits and no other, so the plan is the same with and without statistics.
create index event_by_serial on fibric.event (serial);
call fibric.wall('fibric.event', 'select', 'select, insert');

-- What no partition was made for in time: an event is never refused because maintenance is late.
create table fibric.event_default partition of fibric.event default;
call fibric.wall('fibric.event_default', '', '');

create table fibric.event_position (
  tenant_id text not null,
  reseller_id text,
  position bigint not null check (position > 0),
  serial bigint not null unique,
  received_at timestamptz not null,
  primary key (tenant_id, position)
);
create index event_position_received on fibric.event_position (tenant_id, received_at, position);
call fibric.wall('fibric.event_position', 'select', 'select, insert, delete');

-- One lane a domain, without payload: the worker reads and writes lanes across domains. Its row is the sequencer's fence.
-- `seen` is the snapshot in which every visible event had a position: only what it could not see is looked at again, so
-- neither a long transaction nor one that was prepared and forgotten makes the look longer.
create table fibric.event_lane (
  tenant_id text not null primary key,
  reseller_id text,
  next bigint not null default 1 check (next > 0),
  -- How many replays were begun: whoever follows the lane looks when either number moves, and needs no other look.
  replays bigint not null default 0,
  seen pg_snapshot,
  -- Transaction ids mean something in one cluster only: in a restored copy the look starts from the beginning.
  cluster text,
  -- Keys of effects claimed before this may be gone: events from before it are not replayed. Null: all are kept.
  claims_from timestamptz,
  moved_at timestamptz not null
);
alter table fibric.event_lane enable row level security;
alter table fibric.event_lane force row level security;
grant select on fibric.event_lane to fibric_app;
grant select, insert, update on fibric.event_lane to fibric_worker;
create policy own_domain on fibric.event_lane for select to fibric_app
  using (tenant_id = nullif(current_setting('fibric.tenant_id', true), ''));
create policy every_domain on fibric.event_lane to fibric_worker using (true) with check (true);

-- Where a consumer stands. Whoever holds the fence moves the cursor; a fence from before moves nothing.
create sequence fibric.event_fence;
grant usage on sequence fibric.event_fence to fibric_worker;

create table fibric.event_consumer (
  tenant_id text not null,
  reseller_id text,
  consumer text not null,
  position bigint not null check (position >= 0),
  state text not null check (state in ('active', 'paused')),
  fence bigint not null default 0,
  lease_until timestamptz not null,
  created_at timestamptz not null,
  moved_at timestamptz not null,
  primary key (tenant_id, consumer)
);
call fibric.wall('fibric.event_consumer', 'select', 'select, insert, update, delete');

-- Stored events delivered again to one consumer, with a cursor of their own.
create table fibric.event_replay (
  tenant_id text not null,
  reseller_id text,
  replay_id text not null,
  consumer text not null,
  -- Positions from_position to to_position, both included, whose type matches one of the globs.
  from_position bigint not null check (from_position > 0),
  to_position bigint not null,
  types text[] not null,
  position bigint not null,
  person text not null,
  created_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, replay_id),
  check (to_position >= from_position),
  check (position between from_position - 1 and to_position)
);
create index event_replay_open on fibric.event_replay (tenant_id, consumer, replay_id) where ended_at is null;
call fibric.wall('fibric.event_replay', 'select', 'select, insert, update');

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
  -- How it came in: what delivering it again goes through once more.
  origin text not null check (origin in ('webhook', 'poll', 'internal', 'run')),
  -- JSON text: of a webhook, path and headers without those that carry credentials.
  request bytea,
  body bytea,
  created_at timestamptz not null,
  redriven_at timestamptz,
  redriven_by text,
  -- The event, or the replay, that it became.
  redriven_to text,
  primary key (tenant_id, letter_id),
  check ((redriven_at is null) = (redriven_to is null))
);
call fibric.wall('fibric.dead_letter', 'select', 'select, insert, update');

-- Where each poll of a connection stands. One holder in the deployment, under the fences of consumers; the state moves in
-- the transaction of the events it led to.
create table fibric.poller (
  tenant_id text not null,
  reseller_id text,
  connection_id text not null,
  connection text not null,
  event_type text not null,
  -- JSON text: the cursor, the pass under way, and keys that may come again.
  state bytea not null,
  fence bigint not null default 0,
  lease_until timestamptz not null,
  due_at timestamptz not null,
  failures integer not null default 0,
  -- A condition of the connection: why the last poll came to nothing; null when it did not.
  reason text,
  message text,
  failing_since timestamptz,
  polled_at timestamptz,
  primary key (tenant_id, connection_id, event_type)
);
call fibric.wall('fibric.poller', 'select', 'select, insert, update');

-- The last tick of each schedule that is done with, and the row that replicas take turns on.
create table fibric.schedule_tick (
  tenant_id text not null,
  reseller_id text,
  schedule_id text not null,
  schedule text not null,
  ticked_at timestamptz not null,
  primary key (tenant_id, schedule_id)
);
call fibric.wall('fibric.schedule_tick', 'select', 'select, insert, update');

-- Events of the running minute (or second) by meter: the tenant's tier, or one gateway. Replicas draw a handful at a time.
create table fibric.ingest_meter (
  tenant_id text not null,
  reseller_id text,
  meter text not null,
  began_at timestamptz not null,
  drawn bigint not null,
  primary key (tenant_id, meter)
);
call fibric.wall('fibric.ingest_meter', 'select', 'select, insert, update');

-- Idempotency keys: the generation being written and the one before, each a window long and dropped whole, so a key binds
-- for one to two windows. A third slot is always empty: the next one to be written.
create table fibric.ingest_generation (
  tenant_id text not null default 't_platform' primary key check (tenant_id = 't_platform'),
  reseller_id text,
  generation bigint not null,
  began_at timestamptz not null
);
insert into fibric.ingest_generation (generation, began_at) values (1, now());
alter table fibric.ingest_generation enable row level security;
alter table fibric.ingest_generation force row level security;
grant select, update on fibric.ingest_generation to fibric_worker;
create policy the_one on fibric.ingest_generation to fibric_worker using (true) with check (true);

create table fibric.ingest_key (
  slot smallint not null check (slot between 0 and 2),
  tenant_id text not null,
  reseller_id text,
  source text not null,
  idempotency_key text not null,
  digest bytea not null check (length(digest) = 32),
  event_id text not null,
  primary key (slot, tenant_id, source, idempotency_key)
) partition by list (slot);
create table fibric.ingest_key_0 partition of fibric.ingest_key for values in (0);
create table fibric.ingest_key_1 partition of fibric.ingest_key for values in (1);
create table fibric.ingest_key_2 partition of fibric.ingest_key for values in (2);
call fibric.wall('fibric.ingest_key', '', 'select, insert');
call fibric.wall('fibric.ingest_key_0', '', '');
call fibric.wall('fibric.ingest_key_1', '', '');
call fibric.wall('fibric.ingest_key_2', '', '');

-- Empties the slot that comes after the one being written. Who calls it holds the rotation's lock (see store/ingest-keys).
create function fibric.empty_ingest_slot(slot smallint) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
  if slot not between 0 and 2 then raise exception 'no such slot'; end if;
  execute format('truncate fibric.ingest_key_%s', slot);
end $$;
revoke all on function fibric.empty_ingest_slot from public;
grant execute on function fibric.empty_ingest_slot to fibric_worker;

-- Makes the partition of one week, from Monday. Made apart and attached, which disturbs no writer. False where it is
-- there, or where the default partition already holds events of that week: those stay there.
create function fibric.make_event_partition(week date) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
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
end $$;
revoke all on function fibric.make_event_partition from public;
grant execute on function fibric.make_event_partition to fibric_worker;

-- Drops the partition of one week, with everything in it. That no cursor stands before its end is the caller's to see
-- to; that it is over is seen to here.
create function fibric.drop_event_partition(week date) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
declare
  monday date := date_trunc('week', week::timestamp)::date;
  name text := 'event_' || to_char(monday, 'YYYYMMDD');
begin
  perform pg_advisory_xact_lock(7230411805);
  if to_regclass('fibric.' || name) is null then return false; end if;
  if (monday + 7)::timestamp at time zone 'UTC' > now() then raise exception 'that week is not over'; end if;
  execute format('drop table fibric.%I', name);
  return true;
end $$;
revoke all on function fibric.drop_event_partition from public;
grant execute on function fibric.drop_event_partition to fibric_worker;

-- The last serials given to ledger entries and to events, whosever they are: where neither has moved nothing was appended,
-- and nobody has to look for what has no position yet. Numbers alone, so any login of ours may know them.
create function fibric.last_serials() returns table (entries bigint, events bigint)
language sql security definer stable set search_path = pg_catalog as $$
  select (select last_value from fibric.ledger_entry_serial_seq), (select last_value from fibric.event_serial)
$$;
revoke all on function fibric.last_serials from public;
grant execute on function fibric.last_serials to fibric_worker;
