-- Keys, wrapped. They live in a database of their own, whose backups are kept for a short time: a key that
-- was destroyed must not come back with a backup of the data that it opens.
CREATE TABLE campaign_keys (
  tenant_id  uuid        NOT NULL,
  -- Wrapped by the platform's key.
  wrapped    bytea       NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT campaign_keys_pkey PRIMARY KEY (tenant_id)
);

CREATE TABLE subject_keys (
  tenant_id    uuid        NOT NULL,
  -- A citizen, an account, a bot, or a day of intake.
  subject_id   uuid        NOT NULL,
  key_id       uuid        NOT NULL,
  -- Wrapped by the campaign's key; NULL when destroyed.
  wrapped      bytea,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  destroyed_at timestamptz,
  CONSTRAINT subject_keys_pkey PRIMARY KEY (tenant_id, subject_id),
  CONSTRAINT subject_keys_key_id_key UNIQUE (key_id),
  CONSTRAINT subject_keys_destroyed_check CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
