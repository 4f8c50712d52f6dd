-- Why: whoever looks for what is seldom in a large project must not wait while everything else is read.

-- Of one kind, in all of a project, in a folder, and in no folder.
create index diagrams_by_kind on diagrams (project_id, kind, created_at, id);
create index diagrams_by_folder_and_kind on diagrams (folder_id, kind, created_at, id);
create index diagrams_in_no_folder on diagrams (project_id, created_at, id) where folder_id is null;
create index diagrams_in_no_folder_by_kind on diagrams (project_id, kind, created_at, id) where folder_id is null;

-- Put away: a small part of a project that has grown for years.
create index diagrams_archived on diagrams (project_id, created_at, id) where archived_at is not null;
create index diagrams_archived_by_kind on diagrams (project_id, kind, created_at, id) where archived_at is not null;
create index requirements_archived on requirements (project_id, number, id) where archived_at is not null;
