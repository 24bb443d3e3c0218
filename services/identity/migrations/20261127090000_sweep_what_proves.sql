-- Codes, links to a new password and factors that were begun are let go of by index once they are over.
CREATE INDEX proofs_expires_idx ON proofs (expires_at);
CREATE INDEX recoveries_expires_idx ON recoveries (expires_at);
CREATE INDEX factors_begun_idx ON factors (created_at) WHERE confirmed_at IS NULL;
