-- A link that went to the address proves it when it is used; one that an inviter was shown does not.
ALTER TABLE invitations ADD COLUMN mailed boolean NOT NULL DEFAULT false;
