-- A change of role asks for a new token: the next page that is opened with the session gives the browser one.
ALTER TABLE sessions ADD COLUMN renew boolean NOT NULL DEFAULT false;
