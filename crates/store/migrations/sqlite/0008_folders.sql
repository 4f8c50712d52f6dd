-- Why: a project with a hundred diagrams needs drawers.

create table folders (
    id text not null primary key,
    project_id text not null references projects (id),
    -- Looked at when a transaction ends, so that folders can be carried to another database in any order.
    parent_id text references folders (id) deferrable initially deferred,
    name text not null,
    folded text not null,
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);

-- A name is there once beside its neighbours, however it is capitalised.
create unique index folders_by_name on folders (project_id, coalesce(parent_id, ''), folded);
create index folders_by_parent on folders (parent_id);
create index folders_by_time on folders (project_id, created_at, id);

-- Where a diagram lies; nowhere in particular if not said.
alter table diagrams add column folder_id text references folders (id);

create index diagrams_by_folder on diagrams (folder_id, created_at, id);
