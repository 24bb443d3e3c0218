-- The bots, the chats, what came in and could not be used, and what has to go out.
-- Columns named *_sealed hold ciphertext.

-- A read model: dropped and grown again from the log.
CREATE TABLE bots (
  tenant_id     uuid        NOT NULL,
  -- Which Telegram bot it is: unknown until Telegram has told it.
  bot_id        uuid,
  telegram_id   bigint,
  state         text        NOT NULL,
  problem       text,
  token_sealed  text        NOT NULL,
  hook_id       text        NOT NULL,
  secret_sealed text        NOT NULL,
  secret_sha256 text        NOT NULL,
  username      text        NOT NULL DEFAULT '',
  name          text        NOT NULL DEFAULT '',
  mode          text,
  changed_at    timestamptz NOT NULL,
  CONSTRAINT bots_pkey PRIMARY KEY (tenant_id),
  CONSTRAINT bots_hook_key UNIQUE (hook_id)
);

-- A read model: bots that were replaced or forgotten, and whose webhook has to be taken away.
CREATE TABLE bots_left (
  tenant_id    uuid   NOT NULL,
  hook_id      text   NOT NULL,
  bot_id       uuid   NOT NULL,
  telegram_id  bigint NOT NULL,
  token_sealed text   NOT NULL,
  CONSTRAINT bots_left_pkey PRIMARY KEY (hook_id)
);

-- A read model: where each citizen can be reached.
CREATE TABLE dialogues (
  tenant_id   uuid NOT NULL,
  citizen_id  uuid NOT NULL,
  chat_sealed text NOT NULL,
  CONSTRAINT dialogues_pkey PRIMARY KEY (tenant_id, citizen_id)
);

-- The ledger of what goes out: one row for each piece of an answer. A row is claimed, in a transaction of
-- its own, before Telegram hears of it: a row found claimed after a crash may or may not have arrived.
CREATE TABLE outbound (
  tenant_id   uuid        NOT NULL,
  message_id  uuid        NOT NULL,
  piece       integer     NOT NULL,
  -- Order of the queue.
  place       bigint      GENERATED ALWAYS AS IDENTITY,
  ticket_id   uuid        NOT NULL,
  citizen_id  uuid        NOT NULL,
  body_sealed text        NOT NULL,
  -- planned, claimed, accepted, failed, in_doubt
  state       text        NOT NULL DEFAULT 'planned',
  failure     text,
  attempts    integer     NOT NULL DEFAULT 0,
  next_at     timestamptz NOT NULL,
  planned_at  timestamptz NOT NULL,
  -- When it was last claimed: Telegram's limits are counted from here.
  claimed_at  timestamptz,
  telegram_id bigint,
  traceparent text,
  correlation uuid        NOT NULL,
  causation   uuid        NOT NULL,
  CONSTRAINT outbound_pkey PRIMARY KEY (tenant_id, message_id, piece)
);
CREATE INDEX outbound_planned_idx ON outbound (tenant_id, place) WHERE state = 'planned';
CREATE INDEX outbound_open_idx ON outbound (tenant_id, citizen_id, place) WHERE state IN ('planned', 'claimed');
CREATE INDEX outbound_pace_idx ON outbound (tenant_id, claimed_at) WHERE claimed_at IS NOT NULL;
CREATE INDEX outbound_chat_pace_idx ON outbound (tenant_id, citizen_id, claimed_at) WHERE claimed_at IS NOT NULL;
CREATE INDEX outbound_claimed_idx ON outbound (tenant_id) WHERE state = 'claimed';

-- Until when Telegram lets a campaign's bot write nothing.
CREATE TABLE outbound_pauses (
  tenant_id uuid        NOT NULL,
  ends_at   timestamptz NOT NULL,
  CONSTRAINT outbound_pauses_pkey PRIMARY KEY (tenant_id)
);

-- What came and could not be used, with the reason: kept aside, never in the way of others. The stream's
-- number and the time together tell one arrival from another, also when the stream was lost and counts anew.
CREATE TABLE aside (
  aside_id        bigint      GENERATED ALWAYS AS IDENTITY,
  intake_sequence bigint      NOT NULL,
  received_at     timestamptz NOT NULL,
  -- Nobody's when the message is none of ours.
  tenant_id       uuid,
  bot_id          uuid,
  -- malformed, unknown, oversized, foreign
  kind            text        NOT NULL,
  reason          text        NOT NULL,
  update_sealed   text,
  CONSTRAINT aside_pkey PRIMARY KEY (aside_id),
  CONSTRAINT aside_arrival_key UNIQUE (intake_sequence, received_at)
);

-- When the stream of updates was made to which the checkpoint belongs: another one counts anew.
CREATE TABLE intake_streams (
  reader  text        NOT NULL,
  made_at timestamptz NOT NULL,
  CONSTRAINT intake_streams_pkey PRIMARY KEY (reader)
);

-- What has to be done once for each day, and the last day for which it was.
CREATE TABLE daily (
  work text NOT NULL,
  day  date NOT NULL,
  CONSTRAINT daily_pkey PRIMARY KEY (work)
);
