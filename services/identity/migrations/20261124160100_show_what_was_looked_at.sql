-- Whoever an admin looked as sees which pages the admin opened. A read model's column, of facts that are new.
ALTER TABLE login_history ADD COLUMN page text;
