-- Accounts, campaigns and members as pages ask for them, and what proves an account.
-- Columns named *_sealed hold ciphertext under the account's key.

-- Read models: dropped and grown again from the log.
CREATE TABLE accounts (
  account_id     uuid        NOT NULL,
  profile_sealed text        NOT NULL,
  admin          boolean     NOT NULL,
  created_at     timestamptz NOT NULL,
  CONSTRAINT accounts_pkey PRIMARY KEY (account_id)
);

CREATE TABLE campaigns (
  campaign_id    uuid        NOT NULL,
  slug           text        NOT NULL,
  candidate_name text        NOT NULL,
  office         text        NOT NULL,
  constituency   text        NOT NULL,
  locale         text        NOT NULL,
  status         text        NOT NULL,
  created_at     timestamptz NOT NULL,
  CONSTRAINT campaigns_pkey PRIMARY KEY (campaign_id),
  CONSTRAINT campaigns_slug_key UNIQUE (slug)
);

CREATE TABLE members (
  campaign_id uuid        NOT NULL,
  account_id  uuid        NOT NULL,
  role        text        NOT NULL,
  invited_at  timestamptz NOT NULL,
  joined_at   timestamptz,
  CONSTRAINT members_pkey PRIMARY KEY (campaign_id, account_id)
);
CREATE INDEX members_account_idx ON members (account_id);

-- What proves an account. Not facts: they are changed and forgotten.
CREATE TABLE credentials (
  account_id uuid        NOT NULL,
  -- Argon2id, in the PHC form.
  password   text        NOT NULL,
  changed_at timestamptz NOT NULL,
  CONSTRAINT credentials_pkey PRIMARY KEY (account_id)
);

CREATE TABLE sessions (
  -- Only the hash of a token is kept.
  token_sha256      bytea       NOT NULL,
  session_id        uuid        NOT NULL,
  account_id        uuid        NOT NULL,
  created_at        timestamptz NOT NULL,
  last_seen_at      timestamptz NOT NULL,
  expires_at        timestamptz NOT NULL,
  address_sealed    text        NOT NULL,
  user_agent_sealed text        NOT NULL,
  CONSTRAINT sessions_pkey PRIMARY KEY (token_sha256)
);
CREATE INDEX sessions_account_idx ON sessions (account_id);

CREATE TABLE invitations (
  token_sha256 bytea       NOT NULL,
  -- NULL for the first admin, who says who they are.
  account_id   uuid,
  campaign_id  uuid,
  expires_at   timestamptz NOT NULL,
  used_at      timestamptz,
  CONSTRAINT invitations_pkey PRIMARY KEY (token_sha256)
);

-- Tries to log in, by a keyed hash of account and network.
CREATE TABLE login_tries (
  source   bytea       NOT NULL,
  tries    integer     NOT NULL,
  began_at timestamptz NOT NULL,
  CONSTRAINT login_tries_pkey PRIMARY KEY (source)
);
CREATE INDEX login_tries_began_idx ON login_tries (began_at);
