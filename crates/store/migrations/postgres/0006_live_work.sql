-- Why: work goes on after the answer, programs try again when an answer is lost, and other systems want to hear of changes.

-- Work that any process may take up when run_at has come. Whoever works on it moves run_at into the future again and again; when
-- they stop doing so, another one takes it. The worker's name is good for one such hold, so that one who was thought dead cannot
-- end what another one holds.
create table jobs (
    id text collate "C" not null primary key,
    kind text not null check (kind in ('generate', 'deliver')),
    project_id text collate "C" references projects (id),
    created_by text collate "C" references users (id),
    payload text not null,
    status text not null check (status in ('waiting', 'running', 'done', 'failed')),
    attempts bigint not null check (attempts >= 0),
    run_at bigint not null,
    worker text collate "C",
    result text,
    created_at bigint not null,
    updated_at bigint not null
);

create index jobs_to_do on jobs (run_at, id, attempts) where status in ('waiting', 'running');
create index jobs_ended on jobs (updated_at) where status in ('done', 'failed');
create index jobs_by_project on jobs (project_id, created_at, id);
create index jobs_by_author on jobs (created_by);

-- Requests that must be carried out once, by a hash of the key that the caller chose. The subject says that it was carried out;
-- it is written with the change itself. The answer is sealed, because answers may hold secrets.
create table idempotent_requests (
    key_hash text collate "C" not null primary key,
    fingerprint text not null,
    attempt text collate "C" not null,
    lease_until bigint not null,
    subject text collate "C",
    answer text,
    created_at bigint not null,
    expires_at bigint not null
);

create index idempotent_requests_by_time on idempotent_requests (expires_at);

-- Who is told of what happens in a project. The secret is sealed as keys of vendors are. The events are words separated by
-- spaces, or a star.
create table webhooks (
    id text collate "C" not null primary key,
    project_id text collate "C" not null references projects (id),
    url text not null,
    events text not null,
    data_key_id text collate "C" not null references data_keys (id),
    sealed text not null,
    revision bigint not null,
    disabled_at bigint,
    created_by text collate "C" references users (id),
    created_at bigint not null,
    updated_at bigint not null
);

create index webhooks_by_project on webhooks (project_id, created_at, id);
create index webhooks_by_author on webhooks (created_by);
create index webhooks_by_data_key on webhooks (data_key_id);

-- What became of each attempt to tell.
create table webhook_deliveries (
    id text collate "C" not null primary key,
    webhook_id text collate "C" not null references webhooks (id) on delete cascade,
    event_id text collate "C" not null references audit_events (id),
    attempt bigint not null check (attempt >= 1),
    status bigint,
    problem text,
    duration_us bigint not null,
    created_at bigint not null
);

create index webhook_deliveries_by_webhook on webhook_deliveries (webhook_id, created_at, id);
create index webhook_deliveries_by_time on webhook_deliveries (created_at);
create index webhook_deliveries_by_event on webhook_deliveries (event_id);

-- Processes wait for this instead of asking again and again. SQLite has no such word; there, one process serves.
create function tell_that_something_happened() returns trigger language plpgsql as $$
begin
    perform pg_notify('ba_copilot', TG_TABLE_NAME);
    return null;
end;
$$;

create trigger audit_events_are_told
after insert on audit_events
for each statement execute function tell_that_something_happened();

create trigger jobs_are_told
after insert on jobs
for each row execute function tell_that_something_happened();
