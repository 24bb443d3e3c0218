-- Admins ask others to become admins. A read model's columns: what is open of that.
ALTER TABLE accounts
  ADD COLUMN admin_asked_at    timestamptz,
  ADD COLUMN admin_said_sealed text;
CREATE INDEX accounts_staff_idx ON accounts (created_at, account_id) WHERE admin OR admin_asked_at IS NOT NULL;
