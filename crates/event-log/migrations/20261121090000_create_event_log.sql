-- The log of one context: facts, the commands that were carried out, the keys that may be taken once,
-- and how far each reader has come. See docs/decisions/2026-11-21-one-append-call-for-many-commands.md.
CREATE SCHEMA IF NOT EXISTS es;

-- Services work under this role. It owns nothing, so it cannot lift the rules below.
DO $$ BEGIN
  CREATE ROLE meydan_service NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT USAGE ON SCHEMA es, public TO meydan_service;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO meydan_service;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO meydan_service;

CREATE TABLE es.events (
  part           smallint    NOT NULL,
  -- Gapless, and in the order of commit, within a part. Also the sequence number in JetStream.
  position       bigint      NOT NULL,
  tenant_id      uuid        NOT NULL,
  aggregate_type text        NOT NULL,
  aggregate_id   uuid        NOT NULL,
  -- 1 for the first event of the aggregate, without gaps.
  sequence       bigint      NOT NULL CHECK (sequence > 0),
  event_id       uuid        NOT NULL,
  event_type     text        NOT NULL,
  event_version  smallint    NOT NULL,
  -- json, not jsonb: the exact text is kept. Personal data in it is sealed.
  payload        json        NOT NULL,
  meta           json        NOT NULL,
  recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT events_pkey PRIMARY KEY (part, position),
  CONSTRAINT events_aggregate_sequence_key UNIQUE (tenant_id, aggregate_type, aggregate_id, sequence)
) WITH (fillfactor = 100, autovacuum_vacuum_insert_scale_factor = 0.05);
GRANT SELECT, INSERT ON es.events TO meydan_service;

-- The grant keeps services from changing facts; the trigger keeps the owner from doing it by mistake.
CREATE FUNCTION es.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events are never changed' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER events_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON es.events
  FOR EACH STATEMENT EXECUTE FUNCTION es.refuse_change();

CREATE TABLE es.commands (
  tenant_id     uuid        NOT NULL,
  command_id    uuid        NOT NULL,
  last_position bigint      NOT NULL,
  last_sequence bigint      NOT NULL,
  recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT commands_pkey PRIMARY KEY (tenant_id, command_id)
);
CREATE INDEX commands_recorded_at_idx ON es.commands USING brin (recorded_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON es.commands TO meydan_service;

-- Things of which there may be one: an e-mail address, a Telegram user of a bot, a Telegram update.
-- Keys that come from personal data are keyed hashes, never the data.
CREATE TABLE es.unique_keys (
  tenant_id      uuid  NOT NULL,
  scope          text  NOT NULL,
  key            bytea NOT NULL,
  aggregate_type text  NOT NULL,
  aggregate_id   uuid  NOT NULL,
  CONSTRAINT unique_keys_pkey PRIMARY KEY (tenant_id, scope, key)
);
GRANT SELECT, INSERT, DELETE ON es.unique_keys TO meydan_service;

CREATE TABLE es.checkpoints (
  reader     text        NOT NULL,
  part       smallint    NOT NULL,
  position   bigint      NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT checkpoints_pkey PRIMARY KEY (reader, part)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON es.checkpoints TO meydan_service;

-- Aggregates that a reader could not go on with: their events from `position` on wait, the others pass.
CREATE TABLE es.parked (
  reader         text        NOT NULL,
  part           smallint    NOT NULL,
  tenant_id      uuid        NOT NULL,
  aggregate_type text        NOT NULL,
  aggregate_id   uuid        NOT NULL,
  position       bigint      NOT NULL,
  reason         text        NOT NULL,
  parked_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- An operator asked the reader to try again.
  retry          boolean     NOT NULL DEFAULT false,
  CONSTRAINT parked_pkey PRIMARY KEY (reader, part, tenant_id, aggregate_type, aggregate_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON es.parked TO meydan_service;

-- What a policy has answered ahead of its checkpoint, so that a death in between repeats no answer.
CREATE TABLE es.inbox (
  reader   text     NOT NULL,
  part     smallint NOT NULL,
  position bigint   NOT NULL,
  CONSTRAINT inbox_pkey PRIMARY KEY (reader, part, position)
);
GRANT SELECT, INSERT, DELETE ON es.inbox TO meydan_service;

-- Moments at which a policy is to act. The truth about deadlines is here and nowhere else.
CREATE TABLE es.timers (
  policy       text        NOT NULL,
  timer_id     uuid        NOT NULL,
  tenant_id    uuid        NOT NULL,
  aggregate_id uuid        NOT NULL,
  due_at       timestamptz NOT NULL,
  CONSTRAINT timers_pkey PRIMARY KEY (policy, timer_id)
);
CREATE INDEX timers_due_idx ON es.timers (policy, due_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON es.timers TO meydan_service;

-- States of long aggregates: a cache that may be emptied at any time. Personal data in them is sealed.
CREATE TABLE es.snapshots (
  tenant_id      uuid        NOT NULL,
  aggregate_type text        NOT NULL,
  aggregate_id   uuid        NOT NULL,
  sequence       bigint      NOT NULL,
  -- Which build of which type wrote it. No other one reads it.
  state_version  text        NOT NULL,
  state          json        NOT NULL,
  taken_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT snapshots_pkey PRIMARY KEY (tenant_id, aggregate_type, aggregate_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON es.snapshots TO meydan_service;
