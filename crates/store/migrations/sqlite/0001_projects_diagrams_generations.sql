-- Why: the first things worth remembering are each request, what became of it, and every diagram that came of it.

-- The same columns as in ../postgres/, under the same names. Times are microseconds since 1970 in UTC; JSON is text.

-- What diagrams belong to. One project, 'default', is made by the program for people who never ask for projects.
create table projects (
    id text not null primary key,
    name text not null,
    created_at bigint not null
);

-- What stays the same while versions come and go. head_version is the number of the newest version: taking the next
-- number and locking the diagram are the same statement.
create table diagrams (
    id text not null primary key,
    project_id text not null references projects (id),
    kind text not null,
    title text not null,
    created_at bigint not null,
    updated_at bigint not null,
    head_version bigint not null check (head_version >= 1)
);

create index diagrams_by_project on diagrams (project_id, created_at, id);

-- Each request and how it ended, also when no diagram came of it. A generation is never rewritten.
create table generations (
    id text not null primary key,
    project_id text references projects (id),
    content_id text,
    diagram_id text references diagrams (id),
    kind text not null,
    status text not null check (status in ('succeeded', 'fell_back', 'failed')),
    request text not null,
    provider text not null,
    model text not null,
    validator text,
    retry_count bigint not null check (retry_count >= 0),
    repairs text not null,
    warning text,
    error_code text,
    input_tokens bigint not null check (input_tokens >= 0),
    output_tokens bigint not null check (output_tokens >= 0),
    cost_micro_usd bigint check (cost_micro_usd >= 0),
    duration_us bigint not null check (duration_us >= 0),
    created_at bigint not null
);

create index generations_by_time on generations (created_at, id);

-- For the foreign keys: without these, changing a parent row would read the whole table.
create index generations_by_project on generations (project_id);
create index generations_by_diagram on generations (diagram_id);

-- The diagrams themselves. generation_id is empty where a person made the version.
create table diagram_versions (
    id text not null primary key,
    diagram_id text not null references diagrams (id),
    number bigint not null check (number >= 1),
    generation_id text references generations (id),
    requirement text not null,
    blueprint text,
    mermaid text not null,
    validated boolean not null,
    findings text not null,
    trace text not null,
    created_at bigint not null,
    unique (diagram_id, number)
);

create index diagram_versions_by_generation on diagram_versions (generation_id);

-- A version is what people signed; the database itself refuses to change one.
create trigger diagram_versions_never_change
before update on diagram_versions
begin
    select raise(abort, 'a diagram version never changes');
end;
