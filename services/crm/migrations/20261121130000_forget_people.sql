-- Erased people leave rows for the counts, with nothing in them that was theirs.
ALTER TABLE citizens ALTER COLUMN person_sealed DROP NOT NULL;
ALTER TABLE tickets ALTER COLUMN subject_sealed DROP NOT NULL;
ALTER TABLE messages ALTER COLUMN body_sealed DROP NOT NULL;
-- For the answers of an author who is erased.
CREATE INDEX messages_author_idx ON messages (author) WHERE author IS NOT NULL;
