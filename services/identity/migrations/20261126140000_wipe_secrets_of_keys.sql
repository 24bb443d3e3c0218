-- The hash of a secret goes with the fact that revokes its key; when the key was last used stays to be seen.
ALTER TABLE api_key_secrets ALTER COLUMN secret_sha256 DROP NOT NULL;
