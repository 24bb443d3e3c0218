-- Code of the candidate's home province (ISO 3166-2); empty where none was said.
ALTER TABLE campaigns ADD COLUMN home_region text NOT NULL DEFAULT '';

-- Which session an entry is about: its end tells from where it had come.
ALTER TABLE login_history ADD COLUMN session_id uuid;
CREATE INDEX login_history_session_idx ON login_history (session_id) WHERE session_id IS NOT NULL;
