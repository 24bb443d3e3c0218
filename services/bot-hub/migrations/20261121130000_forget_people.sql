-- Answers to erased people stay in the ledger without what they said.
ALTER TABLE outbound ALTER COLUMN body_sealed DROP NOT NULL;
CREATE INDEX outbound_citizen_idx ON outbound (tenant_id, citizen_id);
-- For the Telegram user of a citizen who is erased: whoever comes back is a stranger.
CREATE INDEX unique_keys_user_idx ON es.unique_keys (tenant_id, aggregate_id) WHERE scope = 'telegram.user';
