-- What no longer counts is let go of by when it began or closed, and links by when they ended.
CREATE INDEX login_tries_over_idx ON login_tries (coalesce(closed_until, began_at));
DROP INDEX login_tries_began_idx;
CREATE INDEX invitations_expires_idx ON invitations (expires_at);
