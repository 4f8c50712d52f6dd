-- Why: people and projects pay for their own models, with keys that nobody may read again.

-- What seals the keys of vendors. Each is itself sealed with the key of the installation (SECRET_KEY), so that a new one of
-- those seals a few rows anew and not all of them.
create table data_keys (
    id text not null primary key,
    sealed text not null,
    created_at bigint not null
);

-- Keys of vendors, sealed. The hint is their last characters, by which people know which one it is.
create table provider_keys (
    id text not null primary key,
    project_id text references projects (id),
    user_id text references users (id),
    provider text not null,
    data_key_id text not null references data_keys (id),
    sealed text not null,
    hint text not null,
    created_at bigint not null,
    unique (project_id, provider),
    unique (user_id, provider),
    check ((project_id is null) <> (user_id is null))
);

create index provider_keys_by_data_key on provider_keys (data_key_id);
