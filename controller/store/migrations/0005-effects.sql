-- workers: stop
-- Effects: runs of operators, what an action needs beyond a configuration change, who has its entity, whose key it is,
-- what is due, what was counted, and the records by which people stop, pause and resolve.

-- What the executor computed when the action was proposed (`effect`), and the attempt under way or the last one (`attempt`).
-- Null on configuration changes. `fence` is the token of whoever may settle the action.
alter table fibric.action
  add column effect jsonb,
  add column attempt jsonb,
  add column fence bigint,
  add column intent_at timestamptz;

-- Keys of configuration changes hold the generation they replace, so one action each is enough for ever. Keys of effects
-- bind as long as their claim says: see effect_claim.
drop index fibric.action_claim;
create unique index action_claim on fibric.action (tenant_id, idempotency_key)
  where effect is null and state in ('held', 'intent', 'waiting', 'unknown', 'reconciling', 'manual', 'applied');
create index action_chained on fibric.action (tenant_id, plan_id) where effect is not null and state = 'planned' and after <> '{}';
create index action_entity on fibric.action (tenant_id, entity_key, created_at desc) where effect is not null;

-- One run of an operator over one delivery of an event. The same delivery brought twice finds the row and does nothing.
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
  state text not null check (state in ('begun', 'recorded', 'rejected', 'dead')),
  deaths integer not null default 0,
  cause text,
  plan_id text,
  -- What it saw, where its event alone does not say: fibric.content.
  witness_digest text,
  entry_id text,
  created_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, run_id),
  unique (tenant_id, operator_id, delivery_id)
);
create index run_operator on fibric.run (tenant_id, operator, run_id);
create index run_begun on fibric.run (tenant_id, operator) where state = 'begun';
create index run_event on fibric.run (tenant_id, event_id) where event_id is not null;
create index run_correlation on fibric.run (tenant_id, correlation_id);
call fibric.wall('fibric.run', 'select', 'select, insert, update');

-- Idempotency keys of effects: at most one action that is held, in flight, in doubt or applied. A null binds_until binds as
-- long as claims are kept; an author's `within` says how long its key binds.
create table fibric.effect_claim (
  tenant_id text not null,
  reseller_id text,
  idempotency_key text not null,
  action_id text not null,
  args_digest text not null,
  authored boolean not null,
  claimed_at timestamptz not null,
  binds_until timestamptz,
  primary key (tenant_id, idempotency_key)
);
call fibric.wall('fibric.effect_claim', 'select', 'select, insert, update, delete');

-- Fencing tokens come from one sequence, so rows of leases may be deleted.
create sequence fibric.fence;
grant usage on sequence fibric.fence to fibric_worker;

-- Who has an entity. `until` is on the database's clock, and null while the action waits or is in doubt: it keeps its entity.
create table fibric.lease (
  tenant_id text not null,
  reseller_id text,
  entity_key text not null,
  action_id text not null,
  fence bigint not null,
  until timestamptz,
  primary key (tenant_id, entity_key)
);
create index lease_until on fibric.lease (until) where until is not null;
call fibric.wall('fibric.lease', 'select', 'select, insert, update, delete');
-- Without payload: recovery learns from it which domains have leases that ran out.
create policy every_lease on fibric.lease for select to fibric_worker using (true);

-- What is to be done next for an action, and when. A row that waits for its entity is due at infinity until the entity is
-- released; `serial` keeps its place among those that wait for the same one.
create table fibric.effect_queue (
  tenant_id text not null,
  reseller_id text,
  serial bigint generated always as identity,
  action_id text not null,
  entity_key text not null,
  queued_at timestamptz not null,
  due_at timestamptz not null,
  stopped boolean not null default false,
  primary key (tenant_id, action_id)
);
create index effect_queue_due on fibric.effect_queue (tenant_id, due_at, serial) where due_at < 'infinity';
create index effect_queue_waiting on fibric.effect_queue (tenant_id) where due_at = 'infinity';
create index effect_queue_entity on fibric.effect_queue (tenant_id, entity_key, serial);
call fibric.wall('fibric.effect_queue', 'select', 'select, insert, update, delete');
-- Without payload: the ring of domains that have work.
create policy every_queue on fibric.effect_queue for select to fibric_worker using (true);

-- Effects counted minute by minute for rates and budgets. The counter's row in effect_counter, there once a rule asks, is
-- what reservations line up at.
create table fibric.effect_minute (
  tenant_id text not null,
  reseller_id text,
  capability text not null,
  dimension text not null check (dimension in ('tenant', 'operator', 'entity', 'capability')),
  value text not null,
  minute bigint not null,
  currency text not null,
  count bigint not null,
  total numeric not null,
  primary key (tenant_id, capability, dimension, value, minute, currency)
);
call fibric.wall('fibric.effect_minute', 'select', 'select, insert, update, delete');

-- A connection that was not done several times in a row: its actions wait as one condition.
create table fibric.breaker (
  tenant_id text not null,
  reseller_id text,
  connection text not null,
  failures integer not null,
  open_until timestamptz,
  reason text not null,
  primary key (tenant_id, connection)
);
call fibric.wall('fibric.breaker', 'select', 'select, insert, update, delete');

-- What ran under a rule that notifies, until somebody says they saw it. Written with what lets the action run.
create table fibric.alert (
  tenant_id text not null,
  reseller_id text,
  alert_id text not null,
  action_id text not null,
  policy text not null,
  rule text not null,
  raised_at timestamptz not null,
  seen_at timestamptz,
  seen_by text,
  seen_reason text,
  primary key (tenant_id, alert_id),
  unique (tenant_id, action_id, policy, rule),
  foreign key (tenant_id, action_id) references fibric.action (tenant_id, action_id)
);
create index alert_unseen on fibric.alert (tenant_id, alert_id) where seen_at is null;
call fibric.wall('fibric.alert', 'select, update', 'select, insert');

-- Stops: records of people that outrank every rule. `pattern` is the POSIX regular expression of a capability's glob.
create table fibric.stop (
  tenant_id text not null,
  reseller_id text,
  stop_id text not null,
  scope text not null check (scope in ('tenant', 'operator', 'capability', 'connection')),
  name text not null,
  pattern text,
  reason text not null,
  person text not null,
  created_at timestamptz not null,
  ended_at timestamptz,
  ended_by text,
  primary key (tenant_id, stop_id)
);
create unique index stop_in_force on fibric.stop (tenant_id, scope, name) where ended_at is null;
call fibric.wall('fibric.stop', 'select, insert, update', 'select');

-- Operators paused by people, beside what their document says.
create table fibric.operator_pause (
  tenant_id text not null,
  reseller_id text,
  address text not null,
  reason text not null,
  person text not null,
  created_at timestamptz not null,
  primary key (tenant_id, address)
);
call fibric.wall('fibric.operator_pause', 'select, insert, update, delete', 'select');

-- Here and below, every look-up is by key: without the settings, the planner scans tables it knows nothing of yet.
--
-- Lets the one that waits longest for each entity try again. Rows somebody works on are past waiting.
create function fibric.wake_waiters(tenants text[], entities text[]) returns void
language plpgsql volatile set search_path = pg_catalog
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
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
end $$;
revoke all on function fibric.wake_waiters from public;
grant execute on function fibric.wake_waiters to fibric_worker;

-- Takes up to a few dozen actions of any domains one step on: to their intent, to a hold, or to an end that needs no effect.
-- Every step of it sees what was committed before its locks were granted, which one plain statement would not; rows are
-- locked in key order, so two claims never wait for one another. What each item came to is said, not raised:
--
-- done: it became what was asked. gone: somebody else has taken it on. regate: rules or counts moved since the gate was
-- asked. stopped: a person's stop. busy: another action has the entity, or came first. duplicate: another has the key.
--
-- One that nothing is expected of is not recorded yet: it has no place in the queue, comes after all that have one, and is
-- recorded by whoever claims it as what this answers. broken: its connection was not done lately, which nobody had looked at.
create function fibric.claim_effects(
  tenants text[], actions text[], entities text[], expected text[], becomes text[],
  keys text[], args_digests text[], authored boolean[], within_ms bigint[],
  epochs bigint[], platform_epoch bigint, operators text[], capabilities text[], connections text[], lease_ms integer[],
  verdicts text[], facts text[], policies text[], tries text[], causes text[], expiries timestamptz[],
  receipts text[], entry_kinds text[], entry_bytes bytea[], entry_leaves bytea[],
  guards jsonb, counts jsonb, at timestamptz)
returns table (item integer, result text, fence bigint, detail text)
language plpgsql volatile set search_path = pg_catalog
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
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
end $$;
revoke all on function fibric.claim_effects from public;
grant execute on function fibric.claim_effects to fibric_worker;

-- Takes attempts to what they came to: state, entry, entity, key and counts in one step, guarded by the fence of each. Answers
-- the items that were settled; the others belong to somebody else now.
create function fibric.settle_effects(
  tenants text[], actions text[], entities text[], keys text[], expected text[], fences bigint[], becomes text[],
  tries text[], causes text[], due_ms bigint[], keeps_entity boolean[],
  receipts text[], entry_ids text[], entry_kinds text[], entry_bytes bytea[], entry_leaves bytea[],
  releases jsonb, at timestamptz)
returns table (item integer)
language plpgsql volatile set search_path = pg_catalog
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
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
end $$;
revoke all on function fibric.settle_effects from public;
grant execute on function fibric.settle_effects to fibric_worker;
