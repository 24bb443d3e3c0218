-- What identity says of campaigns, heard by a policy: where they stand, and in what language they speak.
CREATE TABLE campaigns_heard (
  tenant_id uuid    NOT NULL,
  locale    text    NOT NULL,
  -- draft, active, suspended, archived, deleted
  status    text    NOT NULL,
  -- Whether it is to be deleted.
  leaving   boolean NOT NULL,
  CONSTRAINT campaigns_heard_pkey PRIMARY KEY (tenant_id)
);

-- What the hub itself tells a citizen, of whom it keeps nothing else: which words, and to whom. The chat is sealed
-- under the bot's key, and wiped with the outcome.
ALTER TABLE outbound ADD COLUMN own text;
ALTER TABLE outbound ADD COLUMN chat_sealed text;
