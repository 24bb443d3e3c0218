-- An owner may demand a second factor of everybody who works in a campaign.
ALTER TABLE campaigns ADD COLUMN factor_demanded boolean NOT NULL DEFAULT false;
