-- Why: only a link that was sent by mail alone proves an e-mail address, so links that are also shown must be told apart.

-- The link in the message; `secret_hash` is that of the link that is shown to the person who invites. None in invitations from
-- before, whose one link was both mailed and shown and therefore proves nothing.
alter table invitations add column mailed_hash text collate "C";

create unique index invitations_by_mailed_hash on invitations (mailed_hash);

-- Waiting links for a new password do not say whether they were mailed or printed. They still work and prove no address.
update one_time_codes set email = null where purpose = 'reset_password';
