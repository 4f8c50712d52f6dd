-- Why: among a hundred thousand diagrams, nobody turns pages.

-- The words of titles, in small letters, so that the beginning of a word finds the diagram on either database.
create table diagram_words (
    project_id text collate "C" not null references projects (id),
    word text collate "C" not null,
    diagram_id text collate "C" not null references diagrams (id),
    primary key (project_id, word, diagram_id)
);

create index diagram_words_by_diagram on diagram_words (diagram_id);
