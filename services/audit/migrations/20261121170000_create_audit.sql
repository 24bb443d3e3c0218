-- What happened, as an entry for each fact of each context, and what proves that no entry was changed, removed or moved:
-- a Merkle tree for each campaign and one for the platform (RFC 9162), and its signed checkpoints.
CREATE TABLE trees (
  -- The campaign, or the platform's own id.
  tree_id   uuid        NOT NULL,
  size      bigint      NOT NULL CHECK (size > 0),
  -- The roots of the full subtrees from the left, 32 bytes each: all that appending needs.
  frontier  bytea       NOT NULL,
  -- The size of the newest signed checkpoint.
  signed    bigint      NOT NULL DEFAULT 0,
  signed_at timestamptz NOT NULL DEFAULT '-infinity',
  CONSTRAINT trees_pkey PRIMARY KEY (tree_id)
);

-- Ids and never names. The order of columns is that of the entry in the program.
CREATE TABLE entries (
  -- Place among all entries, from 1, in the order in which they arrived.
  arrival        bigint      NOT NULL,
  tree_id        uuid        NOT NULL,
  -- Place in the tree, from 0.
  leaf           bigint      NOT NULL,
  -- The fact: its log, and its place there.
  log            text        NOT NULL,
  part           smallint    NOT NULL,
  position       bigint      NOT NULL,
  event_id       uuid        NOT NULL,
  at             timestamptz NOT NULL,
  -- account, citizen or service.
  actor_kind     text        NOT NULL,
  actor_id       uuid,
  actor_name     text,
  session_id     uuid,
  on_behalf_of   uuid,
  action         text        NOT NULL,
  version        smallint    NOT NULL,
  target_type    text        NOT NULL,
  target_id      uuid        NOT NULL,
  sequence       bigint      NOT NULL,
  command_id     uuid        NOT NULL,
  correlation_id uuid        NOT NULL,
  causation_id   uuid,
  -- Under the actor's key.
  address_sealed text,
  -- JSON, of words that are nobody's.
  details        text        NOT NULL,
  -- Of the fact's payload, whatever is sealed in it.
  payload_sha256 bytea       NOT NULL,
  -- The hash of the leaf that this row was when it arrived.
  leaf_sha256    bytea       NOT NULL,
  CONSTRAINT entries_pkey PRIMARY KEY (arrival),
  CONSTRAINT entries_leaf_key UNIQUE (tree_id, leaf),
  CONSTRAINT entries_position_key UNIQUE (log, part, position)
);
CREATE INDEX entries_tree_idx ON entries (tree_id, arrival);
CREATE INDEX entries_correlation_idx ON entries (correlation_id);
CREATE INDEX entries_actor_idx ON entries (actor_id, arrival) WHERE actor_id IS NOT NULL;
CREATE INDEX entries_target_idx ON entries (target_id, arrival);

CREATE TABLE checkpoints (
  tree_id uuid    NOT NULL,
  size    bigint  NOT NULL,
  -- A signed note, word for word.
  note    text    NOT NULL,
  -- Whether it is in the file that only grows.
  filed   boolean NOT NULL DEFAULT false,
  CONSTRAINT checkpoints_pkey PRIMARY KEY (tree_id, size)
);
CREATE INDEX checkpoints_unfiled_idx ON checkpoints (tree_id, size) WHERE NOT filed;

-- As in the logs: the grant keeps the service from changing what it wrote, the trigger the owner from a mistake.
REVOKE UPDATE, DELETE ON entries, checkpoints FROM meydan_service;
GRANT UPDATE (filed) ON checkpoints TO meydan_service;
CREATE TRIGGER entries_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
  FOR EACH STATEMENT EXECUTE FUNCTION es.refuse_change();
