-- Second factors, logins that wait for one, devices that are known, and what the gate counts.
-- None of these are facts: they are changed and forgotten. Columns named *_sealed hold ciphertext under the account's key.

-- TOTP authenticators.
CREATE TABLE factors (
  factor_id     uuid        NOT NULL,
  account_id    uuid        NOT NULL,
  name_sealed   text        NOT NULL,
  secret_sealed text        NOT NULL,
  -- The time step of the last code that was accepted; it and earlier ones never are again (RFC 6238, 5.2).
  last_step     bigint      NOT NULL DEFAULT 0,
  created_at    timestamptz NOT NULL,
  -- NULL until a code has shown that the secret arrived.
  confirmed_at  timestamptz,
  last_used_at  timestamptz,
  CONSTRAINT factors_pkey PRIMARY KEY (factor_id)
);
CREATE INDEX factors_account_idx ON factors (account_id);

-- 120 random bits each, so that a plain hash is enough. Using one deletes it.
CREATE TABLE recovery_codes (
  account_id  uuid  NOT NULL,
  code_sha256 bytea NOT NULL,
  CONSTRAINT recovery_codes_pkey PRIMARY KEY (account_id, code_sha256)
);

-- Logins whose password was right, and whose second factor is awaited.
CREATE TABLE login_challenges (
  token_sha256 bytea       NOT NULL,
  account_id   uuid        NOT NULL,
  tries        integer     NOT NULL DEFAULT 0,
  expires_at   timestamptz NOT NULL,
  CONSTRAINT login_challenges_pkey PRIMARY KEY (token_sha256)
);
CREATE INDEX login_challenges_account_idx ON login_challenges (account_id);
CREATE INDEX login_challenges_expires_idx ON login_challenges (expires_at);

-- Browsers from which an account has been logged in to. Of their cookie only the hash is kept.
CREATE TABLE devices (
  device_sha256 bytea       NOT NULL,
  account_id    uuid        NOT NULL,
  first_seen_at timestamptz NOT NULL,
  last_seen_at  timestamptz NOT NULL,
  -- The holder said that nobody else uses it.
  trusted       boolean     NOT NULL DEFAULT false,
  CONSTRAINT devices_pkey PRIMARY KEY (device_sha256, account_id)
);
CREATE INDEX devices_account_idx ON devices (account_id);

ALTER TABLE sessions
  ADD COLUMN device_sha256 bytea,
  ADD COLUMN second_factor boolean NOT NULL DEFAULT false,
  -- When the holder last proved who they are.
  ADD COLUMN proved_at timestamptz NOT NULL DEFAULT 'epoch';

-- What is counted closes for a while when there is too much of it, and each time for longer.
ALTER TABLE login_tries
  ADD COLUMN closed_until timestamptz,
  ADD COLUMN closures     integer NOT NULL DEFAULT 0;

-- Which accounts a network has failed at lately.
CREATE TABLE login_targets (
  source bytea       NOT NULL,
  target bytea       NOT NULL,
  at     timestamptz NOT NULL,
  CONSTRAINT login_targets_pkey PRIMARY KEY (source, target)
);
CREATE INDEX login_targets_at_idx ON login_targets (at);

-- From where a failed login came, sealed under a key of the platform until it is known whose it was, and whether it
-- closed the account to where it came from.
ALTER TABLE login_failures
  ADD COLUMN origin_sealed text,
  ADD COLUMN proof         text NOT NULL DEFAULT 'password',
  ADD COLUMN closed_until  timestamptz;

-- The history of logins: a read model, grown from the log with the directory.
CREATE TABLE login_history (
  position      bigint      NOT NULL,
  account_id    uuid        NOT NULL,
  at            timestamptz NOT NULL,
  -- Type of the fact.
  kind          text        NOT NULL,
  proof         text,
  origin_sealed text,
  CONSTRAINT login_history_pkey PRIMARY KEY (position)
);
CREATE INDEX login_history_account_idx ON login_history (account_id, position DESC);
