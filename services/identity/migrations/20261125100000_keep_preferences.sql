-- People choose in what language and time zone they work. A read model's column.
ALTER TABLE accounts ADD COLUMN preferences_sealed text;
