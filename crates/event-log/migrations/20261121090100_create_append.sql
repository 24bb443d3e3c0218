-- One call appends many commands under one lock and one flush.
--
-- status: 0 appended, 1 the aggregate has moved on, 2 the command was carried out before, 3 a key is taken.
-- a_*: one entry per (command, aggregate); a_group ties the aggregates of one command: all or nothing.
-- k_*: keys to take (a tenant's own, or the platform's), k_a naming the entry in a_* that takes them; e_*: events, e_a likewise, in order.
-- The caller puts an aggregate, a command and a key at most once into a call.
-- a_expected: -1 any, 0 none yet, n exactly n events.
--
-- The lock is held to the commit, so this is the last statement of its transaction, which must be
-- READ COMMITTED: each statement below needs a snapshot taken after the lock.
CREATE FUNCTION es.append(
  p_part smallint,
  a_group int[], a_command uuid[], a_tenant uuid[], a_type text[], a_id uuid[], a_expected bigint[],
  k_a int[], k_tenant uuid[], k_scope text[], k_key bytea[],
  e_a int[], e_offset int[], e_id uuid[], e_type text[], e_version smallint[], e_payload text[], e_meta text[])
RETURNS TABLE (idx int, status smallint, last_sequence bigint, last_position bigint)
LANGUAGE plpgsql AS $$
DECLARE
  base  bigint;
  heads bigint[];
  dup   int[];
  stale int[];
  taken int[];
BEGIN
  PERFORM pg_advisory_xact_lock(7100, p_part);

  SELECT coalesce(array_agg(DISTINCT u.g), '{}') INTO dup
    FROM unnest(a_group, a_tenant, a_command) u(g, t, c)
    JOIN es.commands k ON k.tenant_id = u.t AND k.command_id = u.c;

  SELECT array_agg(coalesce(h.head, 0) ORDER BY u.i) INTO heads
    FROM unnest(a_tenant, a_type, a_id) WITH ORDINALITY u(t, ty, ag, i)
    LEFT JOIN LATERAL (
      SELECT x.sequence AS head FROM es.events x
       WHERE x.tenant_id = u.t AND x.aggregate_type = u.ty AND x.aggregate_id = u.ag
       ORDER BY x.sequence DESC LIMIT 1) h ON true;

  SELECT coalesce(array_agg(DISTINCT u.g), '{}') INTO stale
    FROM unnest(a_group, a_expected) WITH ORDINALITY u(g, ex, i)
   WHERE ex >= 0 AND ex <> heads[i] AND NOT u.g = ANY (dup);

  SELECT coalesce(array_agg(DISTINCT a_group[k.a]), '{}') INTO taken
    FROM unnest(k_a, k_tenant, k_scope, k_key) k(a, t, s, v)
    JOIN es.unique_keys q ON q.tenant_id = k.t AND q.scope = k.s AND q.key = k.v
   WHERE (q.aggregate_type, q.aggregate_id) IS DISTINCT FROM (a_type[k.a], a_id[k.a])
     AND NOT a_group[k.a] = ANY (dup);

  SELECT coalesce(max(x.position), 0) INTO base FROM es.events x WHERE x.part = p_part;

  RETURN QUERY
  WITH src AS (
    SELECT u.a, u.id, u.ty, u.ver, u.pl, u.me,
           base + row_number() OVER (ORDER BY u.o) AS pos, heads[u.a] + u.off AS seq
      FROM unnest(e_a, e_offset, e_id, e_type, e_version, e_payload, e_meta)
           WITH ORDINALITY u(a, off, id, ty, ver, pl, me, o)
     WHERE NOT a_group[u.a] = ANY (dup || stale || taken)
  ), ins AS (
    INSERT INTO es.events (part, position, tenant_id, aggregate_type, aggregate_id, sequence,
                           event_id, event_type, event_version, payload, meta)
    SELECT p_part, s.pos, a_tenant[s.a], a_type[s.a], a_id[s.a], s.seq,
           s.id, s.ty, s.ver, s.pl::json, s.me::json
      FROM src s
  ), keys AS (
    INSERT INTO es.unique_keys (tenant_id, scope, key, aggregate_type, aggregate_id)
    SELECT k.t, k.s, k.v, a_type[k.a], a_id[k.a]
      FROM unnest(k_a, k_tenant, k_scope, k_key) k(a, t, s, v)
     WHERE NOT a_group[k.a] = ANY (dup || stale || taken)
    ON CONFLICT DO NOTHING
  ), per AS (
    SELECT s.a, max(s.seq) AS ls, max(s.pos) AS lp FROM src s GROUP BY s.a
  ), cmd AS (
    INSERT INTO es.commands (tenant_id, command_id, last_position, last_sequence)
    SELECT DISTINCT ON (a_group[p.a]) a_tenant[p.a], a_command[p.a], p.lp, p.ls
      FROM per p ORDER BY a_group[p.a], p.lp DESC
  )
  SELECT p.a, 0::smallint, p.ls, p.lp FROM per p
  UNION ALL
  SELECT u.i::int, 2::smallint, k.last_sequence, k.last_position
    FROM unnest(a_group, a_tenant, a_command) WITH ORDINALITY u(g, t, c, i)
    JOIN es.commands k ON k.tenant_id = u.t AND k.command_id = u.c
  UNION ALL
  SELECT u.i::int, 1::smallint, heads[u.i], NULL::bigint
    FROM unnest(a_group) WITH ORDINALITY u(g, i) WHERE u.g = ANY (stale)
  UNION ALL
  SELECT u.i::int, 3::smallint, NULL::bigint, NULL::bigint
    FROM unnest(a_group) WITH ORDINALITY u(g, i) WHERE u.g = ANY (taken) AND NOT u.g = ANY (stale);
END $$;
GRANT EXECUTE ON FUNCTION es.append TO meydan_service;
