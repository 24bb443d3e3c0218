-- What an inviter calls somebody is all that the team may see before the person accepts.
ALTER TABLE members ADD COLUMN said_sealed text;
