-- Admins suspend accounts, and look at campaigns as their members do.

-- A read model's column: nothing proves the account while it is set.
ALTER TABLE accounts ADD COLUMN suspended_at timestamptz;
CREATE INDEX accounts_created_idx ON accounts (created_at DESC, account_id DESC);

-- As whom a session of an admin looks. Not facts: it is over with the session, at the latest.
CREATE TABLE impersonations (
  session_id  uuid        NOT NULL,
  subject_id  uuid        NOT NULL,
  campaign_id uuid        NOT NULL,
  ends_at     timestamptz NOT NULL,
  CONSTRAINT impersonations_pkey PRIMARY KEY (session_id)
);
CREATE INDEX impersonations_subject_idx ON impersonations (subject_id);
