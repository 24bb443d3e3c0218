-- Passkeys (WebAuthn) are second factors beside authenticators, and a way in of their own.
-- None of this is a fact: it is changed and forgotten.

ALTER TABLE factors
  -- totp or passkey. Of a passkey `secret_sealed` holds what its enrolment waits for, then its public key and how often
  -- it has signed.
  ADD COLUMN kind text NOT NULL DEFAULT 'totp',
  -- SHA-256 of the id that the passkey shows; NULL for an authenticator.
  ADD COLUMN credential_sha256 bytea;
CREATE UNIQUE INDEX factors_credential_idx ON factors (credential_sha256);

-- Challenges that passkeys are to sign. Using one deletes it.
CREATE TABLE passkey_challenges (
  token_sha256 bytea       NOT NULL,
  -- What alone may use it: a waiting login, a session, or the login page.
  bound_to     bytea       NOT NULL,
  -- What the answer is judged by.
  state        text        NOT NULL,
  expires_at   timestamptz NOT NULL,
  CONSTRAINT passkey_challenges_pkey PRIMARY KEY (token_sha256)
);
CREATE INDEX passkey_challenges_expires_idx ON passkey_challenges (expires_at);
