-- What goes out to people by mail and SMS: written with what causes it, sent by a worker, opened by nobody after that.
CREATE TABLE letters (
  letter_id      uuid        NOT NULL,
  account_id     uuid        NOT NULL,
  kind           text        NOT NULL,
  -- To whom and with what words, under the account's key. NULL once the letter is sent or dead: links and codes
  -- stay nowhere but with the person.
  content_sealed text,
  -- waiting → sent | dead
  state          text        NOT NULL DEFAULT 'waiting',
  failure        text,
  tries          integer     NOT NULL DEFAULT 0,
  written_at     timestamptz NOT NULL,
  -- A try takes the row for a while by moving this on; a worker that dies in between holds nothing for ever.
  next_at        timestamptz NOT NULL,
  -- After this nobody needs it any more.
  ends_at        timestamptz NOT NULL,
  CONSTRAINT letters_pkey PRIMARY KEY (letter_id)
);
CREATE INDEX letters_due_idx ON letters (next_at) WHERE state = 'waiting';
CREATE INDEX letters_account_idx ON letters (account_id);
CREATE INDEX letters_written_idx ON letters (written_at);
