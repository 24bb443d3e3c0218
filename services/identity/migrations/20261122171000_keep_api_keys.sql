-- Keys of campaigns' own programs.
-- A read model.
CREATE TABLE api_keys (
  key_id      uuid        NOT NULL,
  campaign_id uuid        NOT NULL,
  name_sealed text        NOT NULL,
  permissions text[]      NOT NULL,
  created_by  uuid        NOT NULL,
  created_at  timestamptz NOT NULL,
  expires_at  timestamptz,
  revoked_at  timestamptz,
  CONSTRAINT api_keys_pkey PRIMARY KEY (key_id)
);
CREATE INDEX api_keys_campaign_idx ON api_keys (campaign_id);

-- What proves a key, and when it was last used. Not facts.
CREATE TABLE api_key_secrets (
  key_id        uuid  NOT NULL,
  -- Only the hash of a secret is kept: 256 random bits need no slower one.
  secret_sha256 bytea NOT NULL,
  last_used_at  timestamptz,
  CONSTRAINT api_key_secrets_pkey PRIMARY KEY (key_id),
  CONSTRAINT api_key_secrets_secret_key UNIQUE (secret_sha256)
);
