-- Challenges for passkeys can be asked for by anybody: of each place to which they are bound the newest alone are kept.
CREATE INDEX passkey_challenges_bound_idx ON passkey_challenges (bound_to, expires_at);
