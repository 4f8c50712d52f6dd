-- Why: what a diagram is built on must be numbered and kept like the diagram itself, and what people think of both too.

-- One thing that somebody needs. Its words are in its versions; the number is what people call it by.
create table requirements (
    id text collate "C" not null primary key,
    project_id text collate "C" not null references projects (id),
    number bigint not null check (number >= 1),
    head_version bigint not null check (head_version >= 1),
    revision bigint not null,
    archived_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    unique (project_id, number)
);

create index requirements_by_time on requirements (project_id, created_at, id);

create table requirement_versions (
    requirement_id text collate "C" not null references requirements (id),
    number bigint not null check (number >= 1),
    text text not null,
    created_by text collate "C" references users (id),
    created_at bigint not null,
    primary key (requirement_id, number)
);

create index requirement_versions_by_author on requirement_versions (created_by);

-- Which requirement an element of a diagram comes from, and which state of both somebody had looked at. When either
-- changes, suspect says which, until somebody looks again.
create table trace_links (
    id text collate "C" not null primary key,
    project_id text collate "C" not null references projects (id),
    requirement_id text collate "C" not null references requirements (id),
    requirement_version bigint not null,
    diagram_id text collate "C" not null references diagrams (id),
    element text collate "C" not null,
    diagram_version bigint not null,
    suspect text check (suspect in ('requirement', 'diagram', 'both')),
    created_by text collate "C" references users (id),
    created_at bigint not null,
    unique (requirement_id, diagram_id, element)
);

create index trace_links_by_diagram on trace_links (diagram_id, created_at, id);
create index trace_links_by_project on trace_links (project_id, created_at, id);
create index trace_links_by_author on trace_links (created_by);

-- What words mean in a project.
create table glossary_terms (
    id text collate "C" not null primary key,
    project_id text collate "C" not null references projects (id),
    term text not null,
    folded text collate "C" not null,
    definition text not null,
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (project_id, folded)
);

create index glossary_terms_by_time on glossary_terms (project_id, created_at, id);

-- What people say about a diagram, or about one element of it.
create table comments (
    id text collate "C" not null primary key,
    project_id text collate "C" not null references projects (id),
    diagram_id text collate "C" not null references diagrams (id),
    version bigint not null,
    element text,
    body text not null,
    created_by text collate "C" references users (id),
    created_at bigint not null,
    resolved_by text collate "C" references users (id),
    resolved_at bigint
);

create index comments_by_diagram on comments (diagram_id, created_at, id);
create index comments_by_project on comments (project_id);
create index comments_by_author on comments (created_by);
create index comments_by_resolver on comments (resolved_by);

-- What somebody decided about a version. Whoever decides again adds a line; the last one counts.
create table approvals (
    id text collate "C" not null primary key,
    diagram_id text collate "C" not null references diagrams (id),
    version bigint not null,
    decision text not null check (decision in ('approved', 'rejected')),
    note text,
    created_by text collate "C" references users (id),
    created_at bigint not null
);

create index approvals_by_diagram on approvals (diagram_id, version, created_at, id);
create index approvals_by_author on approvals (created_by);

-- The versions that belonged together at a moment.
create table baselines (
    id text collate "C" not null primary key,
    project_id text collate "C" not null references projects (id),
    name text not null,
    created_by text collate "C" references users (id),
    created_at bigint not null
);

create index baselines_by_project on baselines (project_id, created_at, id);
create index baselines_by_author on baselines (created_by);

create table baseline_items (
    baseline_id text collate "C" not null references baselines (id),
    what text not null check (what in ('diagram', 'requirement')),
    subject_id text collate "C" not null,
    version bigint not null,
    primary key (baseline_id, what, subject_id)
);

-- What people signed does not change afterwards.
create function refuse_to_change_what_was_signed() returns trigger language plpgsql as $$
begin
    raise exception 'what was signed never changes';
end;
$$;

create trigger requirement_versions_never_change
before update on requirement_versions
for each row execute function refuse_to_change_what_was_signed();

create trigger approvals_never_change
before update on approvals
for each row execute function refuse_to_change_what_was_signed();

create trigger baseline_items_never_change
before update on baseline_items
for each row execute function refuse_to_change_what_was_signed();
