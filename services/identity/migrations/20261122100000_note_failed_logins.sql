-- Failed logins between the answer and the log. A row is written for every address, known or not, so that the answer
-- takes the same work; those of accounts become facts afterwards. The number names the fact's command.
CREATE TABLE login_failures (
  failure_id bigint      GENERATED ALWAYS AS IDENTITY,
  account_id uuid,
  at         timestamptz NOT NULL,
  CONSTRAINT login_failures_pkey PRIMARY KEY (failure_id)
);
