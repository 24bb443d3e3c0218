-- The inbox as members see it: citizens, tickets, messages. All of it can be dropped and grown again from
-- the log. Columns named *_sealed hold ciphertext under the citizen's (or author's) key.
CREATE TABLE citizens (
  tenant_id     uuid        NOT NULL,
  citizen_id    uuid        NOT NULL,
  person_sealed text        NOT NULL,
  phone_sealed  text,
  -- The link through which they came first.
  source_sealed text,
  first_seen    timestamptz NOT NULL,
  last_seen     timestamptz NOT NULL,
  blocked       boolean     NOT NULL DEFAULT false,
  CONSTRAINT citizens_pkey PRIMARY KEY (tenant_id, citizen_id)
);
CREATE INDEX citizens_first_seen_idx ON citizens (tenant_id, first_seen);

-- The number that a campaign gave last. A ticket's number is its place among the campaign's openings.
CREATE TABLE ticket_numbers (
  tenant_id uuid   NOT NULL,
  last      bigint NOT NULL,
  CONSTRAINT ticket_numbers_pkey PRIMARY KEY (tenant_id)
);

CREATE TABLE tickets (
  tenant_id       uuid        NOT NULL,
  ticket_id       uuid        NOT NULL,
  number          bigint      NOT NULL,
  citizen_id      uuid        NOT NULL,
  subject_sealed  text        NOT NULL,
  first_kind      text        NOT NULL,
  status          text        NOT NULL,
  opened_at       timestamptz NOT NULL,
  last_at         timestamptz NOT NULL,
  -- Since when a citizen's word stands unanswered.
  waiting_since   timestamptz,
  first_answer_at timestamptz,
  -- Answers that failed or are in doubt.
  undelivered     integer     NOT NULL DEFAULT 0,
  CONSTRAINT tickets_pkey PRIMARY KEY (tenant_id, ticket_id),
  CONSTRAINT tickets_number_key UNIQUE (tenant_id, number)
);
CREATE INDEX tickets_last_idx ON tickets (tenant_id, last_at DESC, number DESC);
CREATE INDEX tickets_status_idx ON tickets (tenant_id, status, last_at DESC, number DESC);
CREATE INDEX tickets_waiting_idx ON tickets (tenant_id, waiting_since) WHERE waiting_since IS NOT NULL;
CREATE INDEX tickets_citizen_idx ON tickets (tenant_id, citizen_id);

CREATE TABLE messages (
  tenant_id          uuid        NOT NULL,
  message_id         uuid        NOT NULL,
  ticket_id          uuid        NOT NULL,
  -- Place in the conversation: the position of its event.
  place              bigint      NOT NULL,
  incoming           boolean     NOT NULL,
  at                 timestamptz NOT NULL,
  body_sealed        text        NOT NULL,
  album              text,
  edited_at          timestamptz,
  earlier_sealed     text[]      NOT NULL DEFAULT '{}',
  -- queued, sent, failed, in_doubt; only of answers.
  delivery           text,
  failure            text,
  author             uuid,
  author_name_sealed text,
  CONSTRAINT messages_pkey PRIMARY KEY (tenant_id, message_id)
);
CREATE INDEX messages_ticket_idx ON messages (tenant_id, ticket_id, place);
