-- What admins watch for is rare, and all of it happens in identity: found without reading what citizens do.
CREATE INDEX entries_identity_idx ON entries (arrival) WHERE log = 'identity';
