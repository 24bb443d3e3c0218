-- Admins see which accounts guessers have closed to others; campaigns why a key was revoked. Columns of read models,
-- of facts that are new or no older than a day.
ALTER TABLE accounts
  -- Until when logging in is closed to where wrong passwords or codes came from.
  ADD COLUMN locked_until     timestamptz,
  -- Since when authenticators are closed, until the account is recovered.
  ADD COLUMN factor_locked_at timestamptz;
ALTER TABLE api_keys ADD COLUMN revoked_because text;
CREATE INDEX api_keys_maker_idx ON api_keys (created_by) WHERE revoked_at IS NULL;
CREATE INDEX devices_seen_idx ON devices (last_seen_at);
