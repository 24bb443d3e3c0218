-- A command is known to every tenant whose aggregates it named. Before, it was known to the one alone that changed last:
-- a command to several tenants that came again, and named fewer of them, was carried out once more. Otherwise the
-- function is what it was.
CREATE OR REPLACE FUNCTION es.append(
  p_part smallint,
  a_c int[], a_command uuid[], a_tenant uuid[], a_type text[], a_id uuid[], a_expected bigint[],
  k_a int[], k_tenant uuid[], k_scope text[], k_key bytea[],
  e_a int[], e_tenant uuid[], e_aggregate text[], e_aggregate_id uuid[], e_offset int[],
  e_id uuid[], e_type text[], e_version smallint[], e_payload text[], e_meta text[])
RETURNS TABLE (command int, status smallint, last_sequence bigint, last_position bigint)
LANGUAGE plpgsql AS $$
DECLARE
  base  bigint;
  heads bigint[];
  dup   int[];
  stale int[];
  taken int[];
  no    int[];
BEGIN
  PERFORM pg_advisory_xact_lock(7100, p_part);

  SELECT coalesce(array_agg(DISTINCT u.c), '{}') INTO dup
    FROM unnest(a_c, a_tenant, a_command) u(c, t, id)
    JOIN es.commands k ON k.tenant_id = u.t AND k.command_id = u.id;

  SELECT array_agg(coalesce(h.head, 0) ORDER BY u.i) INTO heads
    FROM unnest(a_tenant, a_type, a_id) WITH ORDINALITY u(t, ty, ag, i)
    LEFT JOIN LATERAL (
      SELECT x.sequence AS head FROM es.events x
       WHERE x.tenant_id = u.t AND x.aggregate_type = u.ty AND x.aggregate_id = u.ag
       ORDER BY x.sequence DESC LIMIT 1) h ON true;

  SELECT coalesce(array_agg(DISTINCT u.c), '{}') INTO stale
    FROM unnest(a_c, a_expected) WITH ORDINALITY u(c, ex, i)
   WHERE ex >= 0 AND ex <> heads[i] AND NOT u.c = ANY (dup);

  taken := '{}';
  IF cardinality(k_a) > 0 THEN
    SELECT coalesce(array_agg(DISTINCT a_c[k.a]), '{}') INTO taken
      FROM unnest(k_a, k_tenant, k_scope, k_key) k(a, t, s, v)
      JOIN es.unique_keys q ON q.tenant_id = k.t AND q.scope = k.s AND q.key = k.v
     WHERE (q.aggregate_type, q.aggregate_id) IS DISTINCT FROM (a_type[k.a], a_id[k.a])
       AND NOT a_c[k.a] = ANY (dup || stale);
    -- A key that its aggregate holds already is left alone; one that another partition takes at this very
    -- moment, also since the look above, fails the whole call, and the caller comes again with each command
    -- by itself. In one order, so that two partitions never wait for each other in a circle.
    INSERT INTO es.unique_keys (tenant_id, scope, key, aggregate_type, aggregate_id)
    SELECT k.t, k.s, k.v, a_type[k.a], a_id[k.a]
      FROM unnest(k_a, k_tenant, k_scope, k_key) k(a, t, s, v)
     WHERE NOT a_c[k.a] = ANY (dup || stale || taken)
       AND NOT EXISTS (SELECT FROM es.unique_keys q
                        WHERE q.tenant_id = k.t AND q.scope = k.s AND q.key = k.v
                          AND (q.aggregate_type, q.aggregate_id) = (a_type[k.a], a_id[k.a]))
     ORDER BY k.t, k.s, k.v;
  END IF;

  no := dup || stale || taken;
  SELECT coalesce(max(x.position), 0) INTO base FROM es.events x WHERE x.part = p_part;

  RETURN QUERY
  WITH src AS (
    SELECT u.*, base + row_number() OVER (ORDER BY u.o) AS pos, heads[u.a] + u.off AS seq, a_c[u.a] AS c
      FROM unnest(e_a, e_tenant, e_aggregate, e_aggregate_id, e_offset, e_id, e_type, e_version, e_payload, e_meta)
           WITH ORDINALITY u(a, t, agg, agg_id, off, id, ty, ver, pl, me, o)
     WHERE NOT a_c[u.a] = ANY (no)
  ), ins AS (
    INSERT INTO es.events (part, position, tenant_id, aggregate_type, aggregate_id, sequence,
                           event_id, event_type, event_version, payload, meta)
    SELECT p_part, s.pos, s.t, s.agg, s.agg_id, s.seq, s.id, s.ty, s.ver, s.pl::json, s.me::json
      FROM src s
  ), last AS (
    SELECT DISTINCT ON (s.c) s.c, s.a, s.seq, s.pos FROM src s ORDER BY s.c, s.pos DESC
  ), cmd AS (
    INSERT INTO es.commands (tenant_id, command_id, last_position, last_sequence)
    SELECT DISTINCT u.t, u.id, l.pos, l.seq
      FROM last l JOIN unnest(a_c, a_tenant, a_command) u(c, t, id) ON u.c = l.c
  )
  SELECT l.c, 0::smallint, l.seq, l.pos FROM last l;

  IF cardinality(no) > 0 THEN
    RETURN QUERY
    (SELECT DISTINCT ON (u.c) u.c, 2::smallint, k.last_sequence, k.last_position
      FROM unnest(a_c, a_tenant, a_command) u(c, t, id)
      JOIN es.commands k ON k.tenant_id = u.t AND k.command_id = u.id
     WHERE u.c = ANY (dup)
     ORDER BY u.c, k.last_position DESC)
    UNION ALL SELECT unnest(stale), 1::smallint, NULL, NULL
    UNION ALL SELECT unnest(taken), 3::smallint, NULL, NULL;
  END IF;
END $$;
