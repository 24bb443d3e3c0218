-- How far a channel that others read has heard of each tree: the size of the newest checkpoint that was posted there, and
-- when, so that trees take turns. Apart from what was filed, which waits for nobody.
ALTER TABLE trees
  ADD COLUMN posted    bigint      NOT NULL DEFAULT 0,
  ADD COLUMN posted_at timestamptz NOT NULL DEFAULT '-infinity';
