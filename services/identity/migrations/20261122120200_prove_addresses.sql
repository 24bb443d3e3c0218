-- Proving addresses and telephones, and coming in again by mail. None of it is a fact: it is used, and forgotten.

-- Read models: what is proved takes the place of what was said when the account began.
ALTER TABLE accounts
  ADD COLUMN email_sealed    text,
  ADD COLUMN email_proved_at timestamptz,
  -- Somebody else proved the address that was said.
  ADD COLUMN email_lost_at   timestamptz,
  ADD COLUMN phone_sealed    text,
  ADD COLUMN phone_proved_at timestamptz;

CREATE TABLE proofs (
  account_id    uuid        NOT NULL,
  -- email | phone. One of each at a time: a newer takes the older's place.
  kind          text        NOT NULL,
  -- What is to be proved, under the account's key.
  target_sealed text        NOT NULL,
  token_sha256  bytea       NOT NULL,
  -- A keyed hash: of six digits a plain one hides nothing.
  code_mac      bytea       NOT NULL,
  tries         integer     NOT NULL DEFAULT 0,
  asked_at      timestamptz NOT NULL,
  expires_at    timestamptz NOT NULL,
  CONSTRAINT proofs_pkey PRIMARY KEY (account_id, kind)
);

-- A row for every address that was typed, known or not, so that the answer takes the same work.
CREATE TABLE recovery_requests (
  request_id bigint      GENERATED ALWAYS AS IDENTITY,
  account_id uuid,
  locale     text        NOT NULL,
  at         timestamptz NOT NULL,
  CONSTRAINT recovery_requests_pkey PRIMARY KEY (request_id)
);

CREATE TABLE recoveries (
  -- One at a time: a newer link takes the older's place.
  account_id   uuid        NOT NULL,
  token_sha256 bytea       NOT NULL,
  expires_at   timestamptz NOT NULL,
  CONSTRAINT recoveries_pkey PRIMARY KEY (account_id),
  CONSTRAINT recoveries_token_key UNIQUE (token_sha256)
);

-- How often something was asked for, by a keyed hash of who asks.
CREATE TABLE quotas (
  source   bytea       NOT NULL,
  used     integer     NOT NULL,
  began_at timestamptz NOT NULL,
  CONSTRAINT quotas_pkey PRIMARY KEY (source)
);
CREATE INDEX quotas_began_idx ON quotas (began_at);
