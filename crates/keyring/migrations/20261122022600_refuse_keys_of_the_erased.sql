-- Whoever was erased gets no key again, wherever they had none before: their certificate names every key that there
-- was, and is signed once. Held here rather than in the program, so that no other version of it makes one either.

-- Whether a subject was erased: in this campaign, or on the whole platform, or with all of the campaign. The platform
-- is no campaign. Waits for whoever erases them this moment, and makes whoever is about to wait.
CREATE FUNCTION is_erased(tenant uuid, subject uuid) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  platform CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
  PERFORM pg_advisory_xact_lock_shared(7105, hashtext(tenant::text));
  PERFORM pg_advisory_xact_lock_shared(7105, hashtext(subject::text));
  RETURN EXISTS (
    SELECT FROM erasures
    WHERE (tenant_id, subject_id) IN ((tenant, subject), (platform, subject), (tenant, tenant))
      AND subject_id <> platform);
END $$;

CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RETURN NULL;
END $$;
CREATE TRIGGER the_erased_get_no_key BEFORE INSERT ON subject_keys
  FOR EACH ROW WHEN (is_erased(NEW.tenant_id, NEW.subject_id)) EXECUTE FUNCTION leave_out();
CREATE TRIGGER the_erased_get_no_key BEFORE INSERT ON campaign_keys
  FOR EACH ROW WHEN (is_erased(NEW.tenant_id, NEW.tenant_id)) EXECUTE FUNCTION leave_out();

-- An erasure waits for keys that are being made, so that it sees them, and destroys them.
CREATE FUNCTION wait_for_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7105, hashtext(NEW.subject_id::text));
  RETURN NEW;
END $$;
CREATE TRIGGER an_erasure_misses_no_key BEFORE INSERT ON erasures
  FOR EACH ROW EXECUTE FUNCTION wait_for_keys();
