-- Why: people who sign in elsewhere need no password here, and people who lose their second factor need another way in.

-- Who somebody is to an identity provider (OpenID Connect: issuer and subject).
create table identities (
    issuer text not null,
    subject text not null,
    user_id text not null references users (id),
    created_at bigint not null,
    primary key (issuer, subject)
);

create index identities_by_user on identities (user_id);

-- Each is good once instead of a code of the second factor. Only hashes are kept.
create table recovery_codes (
    secret_hash text not null primary key,
    user_id text not null references users (id),
    created_at bigint not null
);

create index recovery_codes_by_user on recovery_codes (user_id);
