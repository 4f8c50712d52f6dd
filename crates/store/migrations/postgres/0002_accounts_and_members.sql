-- Why: more than one person works here, so who they are, what they may enter and what they changed must be known.

-- People. An e-mail address is stored in small letters, so that it is taken once. Whoever has no password signs in
-- elsewhere. A person who leaves keeps the row and loses everything in it that says who they were.
create table users (
    id text collate "C" not null primary key,
    email text collate "C" not null unique,
    name text not null,
    password_hash text,
    admin boolean not null,
    verified_at bigint,
    disabled_at bigint,
    second_factor text,
    second_factor_step bigint,
    created_at bigint not null,
    updated_at bigint not null
);

-- Where somebody is signed in. Only hashes of secrets are kept. While a secret is replaced, the one before it is good
-- for a moment longer, because requests may be on their way with it.
create table sessions (
    id text collate "C" not null primary key,
    secret_hash text collate "C" not null unique,
    previous_hash text collate "C" unique,
    user_id text collate "C" not null references users (id),
    device text not null,
    created_at bigint not null,
    rotated_at bigint not null,
    seen_at bigint not null,
    expires_at bigint not null
);

create index sessions_by_user on sessions (user_id, created_at, id);

-- Browsers in which somebody has signed in before. Their failures are counted apart from those of strangers, so that
-- strangers who guess passwords cannot lock the owner out.
create table known_devices (
    secret_hash text collate "C" not null primary key,
    user_id text collate "C" not null references users (id),
    seen_at bigint not null
);

create index known_devices_by_user on known_devices (user_id);

-- How often signing in failed, for an address, an e-mail address or a device, since a moment.
create table sign_in_failures (
    bucket text collate "C" not null primary key,
    failures bigint not null,
    since bigint not null
);

create index sign_in_failures_by_time on sign_in_failures (since);

-- Links that are good once: to set up, to prove an e-mail address, to choose a new password.
create table one_time_codes (
    secret_hash text collate "C" not null primary key,
    purpose text not null check (purpose in ('set_up', 'verify_email', 'reset_password', 'second_factor')),
    user_id text collate "C" references users (id),
    email text collate "C",
    created_at bigint not null,
    expires_at bigint not null
);

create index one_time_codes_by_user on one_time_codes (user_id);
create index one_time_codes_by_time on one_time_codes (expires_at);

-- What programs call with. The scopes are words separated by spaces.
create table tokens (
    id text collate "C" not null primary key,
    user_id text collate "C" not null references users (id),
    name text not null,
    secret_hash text collate "C" not null unique,
    scopes text not null,
    created_at bigint not null,
    expires_at bigint,
    used_at bigint,
    revoked_at bigint
);

create index tokens_by_user on tokens (user_id, created_at, id);

-- The revision goes up with each change of the row itself, so that nobody overwrites what they have not seen.
alter table projects add column revision bigint not null default 1;
alter table projects add column updated_at bigint not null default 0;
alter table projects add column archived_at bigint;
alter table diagrams add column revision bigint not null default 1;
alter table diagrams add column archived_at bigint;
alter table diagram_versions add column created_by text collate "C" references users (id);
alter table diagram_versions add column note text;
alter table generations add column created_by text collate "C" references users (id);

create index diagrams_by_time on diagrams (created_at, id);
create index diagram_versions_by_author on diagram_versions (created_by);
create index generations_by_author on generations (created_by, created_at);

-- Who may enter which project, and as what.
create table memberships (
    project_id text collate "C" not null references projects (id),
    user_id text collate "C" not null references users (id),
    role text not null check (role in ('owner', 'editor', 'reviewer', 'viewer')),
    created_at bigint not null,
    primary key (project_id, user_id)
);

create index memberships_by_user on memberships (user_id, created_at, project_id);

-- Asked to enter, by e-mail address; good once.
create table invitations (
    id text collate "C" not null primary key,
    project_id text collate "C" not null references projects (id),
    email text collate "C" not null,
    role text not null check (role in ('owner', 'editor', 'reviewer', 'viewer')),
    secret_hash text collate "C" not null unique,
    invited_by text collate "C" references users (id),
    created_at bigint not null,
    expires_at bigint not null,
    accepted_at bigint
);

create index invitations_by_project on invitations (project_id, created_at, id);
create index invitations_by_author on invitations (invited_by);

-- Every change and every call of a model: who, what, when, and what it cost. Written with the change itself.
create table audit_events (
    id text collate "C" not null primary key,
    at bigint not null,
    user_id text collate "C" references users (id),
    token_id text collate "C",
    action text not null,
    project_id text collate "C" references projects (id),
    subject text not null,
    details text not null
);

create index audit_events_by_project on audit_events (project_id, at, id);
create index audit_events_by_user on audit_events (user_id, at, id);
create index audit_events_by_time on audit_events (at, id);

-- An audit event is evidence; the database itself refuses to change one.
create function refuse_to_change_an_audit_event() returns trigger language plpgsql as $$
begin
    raise exception 'an audit event never changes';
end;
$$;

create trigger audit_events_never_change
before update on audit_events
for each row execute function refuse_to_change_an_audit_event();
