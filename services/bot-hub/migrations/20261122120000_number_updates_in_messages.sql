-- A message of the intake holds several updates. Each of them can be set aside.
ALTER TABLE aside ADD COLUMN intake_place integer NOT NULL DEFAULT 0;
ALTER TABLE aside DROP CONSTRAINT aside_arrival_key;
ALTER TABLE aside ADD CONSTRAINT aside_arrival_key UNIQUE (intake_sequence, intake_place, received_at);
