-- Keys that can be rotated, and a ledger of erasures. A campaign's key has versions: the newest wraps, the
-- older ones stay until nothing is wrapped by them, so a rotation that is cut short leaves all readable.
ALTER TABLE campaign_keys
  ADD COLUMN version integer NOT NULL DEFAULT 1,
  -- Whether keyed hashes were made with this key, before they had a secret of their own.
  ADD COLUMN hashes boolean NOT NULL DEFAULT true,
  DROP CONSTRAINT campaign_keys_pkey,
  ADD CONSTRAINT campaign_keys_pkey PRIMARY KEY (tenant_id, version);
ALTER TABLE campaign_keys ALTER COLUMN version DROP DEFAULT, ALTER COLUMN hashes SET DEFAULT false;

-- The secret of a campaign's keyed hashes: it stays when the key that wraps it is rotated, or all that was
-- hashed would have to be found and hashed anew.
CREATE TABLE hash_secrets (
  tenant_id        uuid        NOT NULL,
  campaign_version integer     NOT NULL,
  wrapped          bytea       NOT NULL,
  created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT hash_secrets_pkey PRIMARY KEY (tenant_id),
  CONSTRAINT hash_secrets_campaign_fkey FOREIGN KEY (tenant_id, campaign_version) REFERENCES campaign_keys
);

-- The reference keeps a process that has not heard of a rotation from wrapping with a key that is gone.
ALTER TABLE subject_keys
  -- Version of the campaign's key that wraps; NULL when destroyed.
  ADD COLUMN campaign_version integer,
  -- Names the key without telling it: what a certificate of erasure shows.
  ADD COLUMN fingerprint bytea;
UPDATE subject_keys SET campaign_version = 1 WHERE wrapped IS NOT NULL;
ALTER TABLE subject_keys
  ADD CONSTRAINT subject_keys_campaign_fkey FOREIGN KEY (tenant_id, campaign_version) REFERENCES campaign_keys,
  ADD CONSTRAINT subject_keys_version_check CHECK ((wrapped IS NULL) = (campaign_version IS NULL));
CREATE INDEX subject_keys_version_idx ON subject_keys (tenant_id, campaign_version);
CREATE INDEX subject_keys_subject_idx ON subject_keys (subject_id);

-- Who was erased, and which contexts have said that they forgot them. Nothing personal.
CREATE TABLE erasures (
  tenant_id   uuid        NOT NULL,
  subject_id  uuid        NOT NULL,
  -- The actor of the fact, as the log writes it.
  asked_by    text        NOT NULL,
  asked_at    timestamptz NOT NULL,
  -- Signed; NULL until every context has acknowledged.
  certificate text,
  CONSTRAINT erasures_pkey PRIMARY KEY (tenant_id, subject_id)
);

CREATE TABLE erasure_acknowledgements (
  tenant_id       uuid        NOT NULL,
  subject_id      uuid        NOT NULL,
  context         text        NOT NULL,
  -- Position in the context's log of the fact whose rows are gone.
  position        bigint      NOT NULL,
  acknowledged_at timestamptz NOT NULL,
  CONSTRAINT erasure_acknowledgements_pkey PRIMARY KEY (tenant_id, subject_id, context),
  CONSTRAINT erasure_acknowledgements_erasure_fkey FOREIGN KEY (tenant_id, subject_id) REFERENCES erasures
);
