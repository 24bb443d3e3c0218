-- A member may be deactivated, and have single permissions beyond the role's, or not all of them.
ALTER TABLE members
  ADD COLUMN deactivated boolean NOT NULL DEFAULT false,
  ADD COLUMN granted     text[]  NOT NULL DEFAULT '{}',
  ADD COLUMN denied      text[]  NOT NULL DEFAULT '{}';
-- For the one-time links of an invitation that is renewed or withdrawn.
CREATE INDEX invitations_campaign_idx ON invitations (campaign_id, account_id) WHERE used_at IS NULL;
-- A campaign that is to be deleted tells when.
ALTER TABLE campaigns ADD COLUMN deletion_due_at timestamptz;
