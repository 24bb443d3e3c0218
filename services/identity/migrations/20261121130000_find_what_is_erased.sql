-- For the address of an account that is erased: it may be used again.
CREATE INDEX unique_keys_account_idx ON es.unique_keys (aggregate_id) WHERE scope = 'account.email';
CREATE INDEX invitations_account_idx ON invitations (account_id) WHERE account_id IS NOT NULL;
