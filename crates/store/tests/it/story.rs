//! One scenario through the whole store, on both databases.

use std::time::Duration;

use store::{
    Backend, ConnectOptions, Constraint, Cursor, DiagramFilter, Field, GenerationStatus, JobCounts, JobEnd,
    JobId, JobKind, JsonText, NewGeneration, NewVersion, PageRequest, ProjectId, Resource, Store, StoreError,
    TimeUs, VersionOf,
};

use crate::databases::{
    NOON, PostgresDatabase, SqliteFile, a_diagram, a_generation, a_version, an_event, diagram, generation,
    project, record, version,
};

/// Characters that often break database layers, except U+0000.
const HARD_TEXT: &str =
    "'; drop table projects; --\r\n\t\"$1\" \\ % _ ?1 äöü 統一 🧭 \u{202e}rtl\u{feff}\u{1} end";

#[tokio::test]
async fn story_on_sqlite() {
    let file = SqliteFile::new();
    check_all(&file.url(), Backend::Sqlite).await;
}

#[tokio::test]
async fn story_on_postgres() {
    if let Some(database) = PostgresDatabase::new().await {
        check_all(&database.url(), Backend::Postgres).await;
        database.drop().await;
    }
}

pub(crate) async fn check_all(url: &str, backend: Backend) {
    let store = Store::connect(url, &ConnectOptions::default()).await.unwrap();
    assert_eq!(store.backend(), backend);
    store.ping(Duration::from_secs(5)).await.unwrap();

    migrates(&store).await;
    projects_are_ensured(&store).await;
    generation_creates_a_diagram(&store).await;
    second_version_advances_the_diagram(&store).await;
    failed_generation_is_recorded(&store).await;
    failed_write_is_rolled_back(&store).await;
    invalid_input_is_refused(&store).await;
    concurrent_writers_are_serialized(&store, url).await;
    lists_are_paginated(&store).await;
    jobs_are_counted(&store).await;

    // All data is still present for the next process.
    store.close().await;
    assert!(matches!(store.ping(Duration::from_secs(5)).await, Err(StoreError::Unavailable { .. })));
    let again = Store::connect(url, &ConnectOptions::default()).await.unwrap();
    assert!(again.check_schema().await.unwrap().is_current());
    assert_eq!(again.find_diagram(&diagram("d-library")).await.unwrap().head_version, 2);
    assert_eq!(again.find_version(&version("v-1")).await.unwrap().requirement, HARD_TEXT);
    again.close().await;
}

async fn migrates(store: &Store) {
    let before = store.check_schema().await.unwrap();
    assert_eq!((before.version, before.is_current()), (0, false));
    assert_eq!(before.pending.first(), Some(&"0001_projects_diagrams_generations"));
    // Before the migrations the error names the remedy and is not an internal error.
    let early = store.find_diagram(&diagram("d")).await.unwrap_err();
    assert!(early.to_string().contains("run its migrations"), "{early}");

    assert_eq!(store.migrate(NOON).await.unwrap().applied, before.pending);
    assert!(store.check_schema().await.unwrap().is_current());
    let later = TimeUs::from_micros(NOON.as_micros() + 1);
    assert!(store.migrate(later).await.unwrap().applied.is_empty());
    let default = store.find_project(&ProjectId::default_project()).await.unwrap();
    assert_eq!((default.name.as_str(), default.created_at), ("Default", NOON));
}

async fn projects_are_ensured(store: &Store) {
    let made = store.ensure_project(&project("p-1"), HARD_TEXT, NOON).await.unwrap();
    assert_eq!((made.id.as_str(), made.name.as_str(), made.created_at), ("p-1", HARD_TEXT, NOON));
    let again = store.ensure_project(&project("p-1"), "Other", TimeUs::from_micros(0)).await.unwrap();
    assert_eq!(again, made);
    let missing = store.find_project(&project("P-1")).await;
    assert_eq!(missing, Err(StoreError::NotFound { what: Resource::Project }));
}

async fn generation_creates_a_diagram(store: &Store) {
    let list = JsonText::parse(r#"[{"element":"Book","start":0,"text":"\u0000ä"}]"#).unwrap();
    let new = NewGeneration {
        content_id: Some(HARD_TEXT.into()),
        request: HARD_TEXT.into(),
        validator: Some(JsonText::parse(r#"{"engine":"mermaid"}"#).unwrap()),
        retry_count: 2,
        repairs: list.clone(),
        warning: Some("one".into()),
        input_tokens: u32::MAX,
        output_tokens: 7,
        cost_micro_usd: Some(i64::MAX),
        duration_us: i64::MAX,
        ..a_generation("g-1", 0)
    };
    let new_version = NewVersion {
        requirement: HARD_TEXT.into(),
        blueprint: Some(list.clone()),
        mermaid: HARD_TEXT.into(),
        findings: list.clone(),
        trace: list.clone(),
        ..a_version("v-1", VersionOf::New(a_diagram("d-library")))
    };
    let recorded = record(store, new.clone(), Some(new_version)).await.unwrap();

    let made = recorded.diagram.unwrap();
    assert_eq!((made.id.as_str(), made.head_version, made.kind.as_str()), ("d-library", 1, "class"));
    assert_eq!((made.title.as_str(), made.created_at, made.updated_at), ("Library", NOON, NOON));
    assert_eq!(made.project_id, ProjectId::default_project());

    let stored = recorded.generation;
    assert_eq!(
        stored.project_id,
        Some(ProjectId::default_project()),
        "the project of the diagram is the default"
    );
    assert_eq!(stored.diagram_id, Some(diagram("d-library")));
    assert_eq!((stored.status, stored.retry_count), (GenerationStatus::Succeeded, 2));
    assert_eq!((&stored.request, &stored.content_id), (&new.request, &new.content_id));
    assert_eq!((&stored.validator, &stored.repairs), (&new.validator, &new.repairs));
    assert_eq!((&stored.warning, &stored.error_code), (&new.warning, &None));
    assert_eq!((stored.input_tokens, stored.output_tokens), (u32::MAX, 7));
    assert_eq!(
        (stored.cost_micro_usd, stored.duration_us, stored.created_at),
        (Some(i64::MAX), i64::MAX, NOON)
    );

    let first = recorded.version.unwrap();
    assert_eq!((first.number, first.validated, first.created_at), (1, true, NOON));
    assert_eq!(first.generation_id, Some(generation("g-1")));
    assert_eq!((first.requirement.as_str(), first.mermaid.as_str()), (HARD_TEXT, HARD_TEXT));
    assert_eq!((&first.blueprint, &first.findings, &first.trace), (&Some(list.clone()), &list, &list));

    // The returned values are the stored ones.
    assert_eq!(store.find_generation(&generation("g-1")).await.unwrap(), stored);
    assert_eq!(store.find_diagram(&diagram("d-library")).await.unwrap(), made);
    assert_eq!(store.find_version(&version("v-1")).await.unwrap(), first);
    assert_eq!(store.find_version_number(&diagram("d-library"), 1).await.unwrap(), first);
}

async fn second_version_advances_the_diagram(store: &Store) {
    let of = VersionOf::Existing(diagram("d-library"));
    let unchecked = NewVersion { validated: false, ..a_version("v-2", of) };
    let fell_back = NewGeneration { status: GenerationStatus::FellBack, ..a_generation("g-2", 60) };
    let recorded = record(store, fell_back, Some(unchecked)).await.unwrap();
    let second = recorded.version.unwrap();
    assert_eq!((second.number, second.validated, second.blueprint), (2, false, None));
    assert_eq!(recorded.generation.status, GenerationStatus::FellBack);
    let moved = recorded.diagram.unwrap();
    assert_eq!((moved.head_version, moved.created_at), (2, NOON));
    assert_eq!(moved.updated_at, recorded.generation.created_at);

    let versions = store.list_versions(&diagram("d-library"), &PageRequest::first(10)).await.unwrap();
    let numbers: Vec<_> = versions.items.iter().map(|it| (it.number, it.validated)).collect();
    assert_eq!((numbers, versions.next), (vec![(2, false), (1, true)], None));
    assert_eq!(store.find_version(&version("v-1")).await.unwrap().number, 1, "the first version stays");
}

async fn failed_generation_is_recorded(store: &Store) {
    let failed = NewGeneration {
        status: GenerationStatus::Failed,
        error_code: Some("provider_unavailable".into()),
        project_id: Some(project("p-1")),
        ..a_generation("g-failed", 61)
    };
    let recorded = record(store, failed, None).await.unwrap();
    assert_eq!((recorded.diagram, recorded.version), (None, None));
    assert_eq!(recorded.generation.error_code.as_deref(), Some("provider_unavailable"));
    assert_eq!(recorded.generation.project_id, Some(project("p-1")));

    // A failure for an existing diagram names it, and does not change it.
    let about = NewGeneration {
        status: GenerationStatus::Failed,
        diagram_id: Some(diagram("d-library")),
        ..a_generation("g-failed-again", 62)
    };
    let recorded = record(store, about, None).await.unwrap();
    assert_eq!(recorded.diagram.unwrap().head_version, 2);
    assert_eq!(recorded.generation.diagram_id, Some(diagram("d-library")));
    assert_eq!(recorded.generation.project_id, Some(ProjectId::default_project()));
}

async fn failed_write_is_rolled_back(store: &Store) {
    let on_library = || VersionOf::Existing(diagram("d-library"));
    let conflict = |constraint| Err(StoreError::Conflict { constraint });
    let missing = |what| Err(StoreError::NotFound { what });

    let taken = record(store, a_generation("g-1", 70), None).await;
    assert_eq!(taken, conflict(Constraint::GenerationId));
    let version_taken = a_version("v-1", on_library());
    let taken = record(store, a_generation("g-lost", 70), Some(version_taken)).await;
    assert_eq!(taken, conflict(Constraint::VersionId));
    let diagram_taken = a_version("v-lost", VersionOf::New(a_diagram("d-library")));
    let taken = record(store, a_generation("g-lost", 70), Some(diagram_taken)).await;
    assert_eq!(taken, conflict(Constraint::DiagramId));
    let generation_taken = a_version("v-lost", VersionOf::New(a_diagram("d-lost")));
    let taken = record(store, a_generation("g-1", 70), Some(generation_taken)).await;
    assert_eq!(taken, conflict(Constraint::GenerationId));

    let nowhere = a_version("v-lost", VersionOf::Existing(diagram("d-lost")));
    let refused = record(store, a_generation("g-lost", 70), Some(nowhere)).await;
    assert_eq!(refused, missing(Resource::Diagram));
    let about_nothing = NewGeneration { diagram_id: Some(diagram("d-lost")), ..a_generation("g-lost", 70) };
    assert_eq!(record(store, about_nothing, None).await, missing(Resource::Diagram));
    let no_project = NewGeneration { project_id: Some(project("p-lost")), ..a_generation("g-lost", 70) };
    assert_eq!(record(store, no_project, None).await, missing(Resource::Project));
    let mut homeless = a_diagram("d-lost");
    homeless.project_id = project("p-lost");
    let refused =
        record(store, a_generation("g-lost", 70), Some(a_version("v-lost", VersionOf::New(homeless)))).await;
    assert_eq!(refused, missing(Resource::Project));

    let lost = store.find_generation(&generation("g-lost")).await;
    assert_eq!(lost, Err(StoreError::NotFound { what: Resource::Generation }));
    assert_eq!(
        store.find_version(&version("v-lost")).await.unwrap_err(),
        StoreError::NotFound { what: Resource::Version }
    );
    assert_eq!(
        store.find_diagram(&diagram("d-lost")).await.unwrap_err(),
        StoreError::NotFound { what: Resource::Diagram }
    );
    let untouched = store.find_diagram(&diagram("d-library")).await.unwrap();
    assert_eq!(
        (untouched.head_version, untouched.updated_at.as_micros()),
        (2, NOON.as_micros() + 60_000_000)
    );
    let beyond = store.find_version_number(&diagram("d-library"), 3).await;
    assert_eq!(beyond, Err(StoreError::NotFound { what: Resource::Version }));
}

async fn invalid_input_is_refused(store: &Store) {
    let nul = NewGeneration { request: "a\0b".into(), ..a_generation("g-bad", 70) };
    let refused = record(store, nul, None).await;
    assert_eq!(refused, Err(StoreError::Invalid { what: Field::Request }));
    let mut nul = a_version("v-bad", VersionOf::New(a_diagram("d-bad")));
    nul.mermaid.push('\0');
    let refused = record(store, a_generation("g-bad", 70), Some(nul)).await;
    assert_eq!(refused, Err(StoreError::Invalid { what: Field::MermaidText }));
    assert!(store.ensure_project(&project("p-bad"), "\0", NOON).await.is_err());

    let of = VersionOf::Existing(diagram("d-library"));
    let base = || a_generation("g-bad", 70);
    for (contradiction, expected) in [
        (NewGeneration { diagram_id: Some(diagram("d-other")), ..base() }, StoreError::OtherDiagram),
        (NewGeneration { project_id: Some(project("p-1")), ..base() }, StoreError::OtherProject),
        (NewGeneration { cost_micro_usd: Some(-1), ..base() }, StoreError::Invalid { what: Field::Cost }),
        (NewGeneration { duration_us: -1, ..base() }, StoreError::Invalid { what: Field::Duration }),
    ] {
        let refused = record(store, contradiction, Some(a_version("v-bad", of.clone()))).await;
        assert_eq!(refused, Err(expected));
    }
    assert!(store.find_generation(&generation("g-bad")).await.is_err());
    assert_eq!(store.find_diagram(&diagram("d-library")).await.unwrap().head_version, 2);
}

/// Versions of one diagram, written concurrently by two stores, get the numbers 1, 2, 3, … without a gap.
async fn concurrent_writers_are_serialized(store: &Store, url: &str) {
    const WRITERS: u32 = 24;
    let first = a_version("v-busy-0", VersionOf::New(a_diagram("d-busy")));
    record(store, a_generation("g-busy-0", 100), Some(first)).await.unwrap();
    let other = Store::connect(url, &ConnectOptions::default()).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 1..WRITERS {
        let store = if writer % 2 == 0 { store.clone() } else { other.clone() };
        writers.spawn(async move {
            let of = VersionOf::Existing(diagram("d-busy"));
            let version = a_version(&format!("v-busy-{writer}"), of);
            let generation = a_generation(&format!("g-busy-{writer}"), 100);
            record(&store, generation, Some(version)).await.unwrap().version.unwrap().number
        });
    }
    let mut numbers = writers.join_all().await;
    other.close().await;
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=WRITERS).collect::<Vec<_>>());
    assert_eq!(store.find_diagram(&diagram("d-busy")).await.unwrap().head_version, WRITERS);
}

async fn lists_are_paginated(store: &Store) {
    // All at the same time, so that only the ids decide, byte by byte: capitals before small letters.
    for id in ["a", "B", "c", "D", "~", "0"] {
        let id = format!("page-{id}");
        let version = a_version(&id, VersionOf::New(a_diagram(&id)));
        record(store, a_generation(&id, 500), Some(version)).await.unwrap();
    }

    let mut seen = Vec::new();
    let mut page = PageRequest::first(4);
    loop {
        let got = store.list_generations(&page).await.unwrap();
        seen.extend(got.items.iter().map(|it| it.id.as_str().to_owned()));
        let Some(next) = got.next else { break };
        assert_eq!(got.items.len(), 4);
        // Through the text of the cursor, as a client would; and a row inserted in between shifts nothing.
        page = PageRequest::after(Cursor::parse(&next.to_string()).unwrap(), 4);
        let id = format!("late-{}", seen.len());
        record(store, a_generation(&id, 1_000), None).await.unwrap();
    }
    assert_eq!(seen[..6], ["page-~", "page-c", "page-a", "page-D", "page-B", "page-0"]);
    assert_eq!(seen.last().map(String::as_str), Some("g-1"));
    assert_eq!(seen.len(), 6 + 24 + 4);
    let unique: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len());

    let everything = store.list_generations(&PageRequest::first(u32::MAX)).await.unwrap();
    assert!(everything.next.is_none());
    assert!(everything.items.len() > seen.len());

    let default = ProjectId::default_project();
    let first =
        store.list_diagrams(&default, &DiagramFilter::default(), &PageRequest::first(6)).await.unwrap();
    let ids: Vec<_> = first.items.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["page-~", "page-c", "page-a", "page-D", "page-B", "page-0"]);
    let rest = store
        .list_diagrams(&default, &DiagramFilter::default(), &PageRequest::after(first.next.unwrap(), 6))
        .await
        .unwrap();
    let ids: Vec<_> = rest.items.iter().map(|it| it.id.as_str()).collect();
    assert_eq!((ids, rest.next), (vec!["d-busy", "d-library"], None));
    let none = store
        .list_diagrams(&project("p-1"), &DiagramFilter::default(), &PageRequest::first(6))
        .await
        .unwrap();
    assert_eq!((none.items, none.next), (vec![], None));

    let newest = store.list_versions(&diagram("d-busy"), &PageRequest::first(20)).await.unwrap();
    let oldest =
        store.list_versions(&diagram("d-busy"), &PageRequest::after(newest.next.unwrap(), 20)).await.unwrap();
    let numbers: Vec<_> = newest.items.iter().chain(&oldest.items).map(|it| it.number).collect();
    assert_eq!(numbers, (1..=24).rev().collect::<Vec<_>>());
    assert!(oldest.next.is_none());
}

async fn jobs_are_counted(store: &Store) {
    for n in 0..3 {
        let id = JobId::parse(format!("job-{n}")).unwrap();
        store.create_job(&id, JobKind::Deliver, None, "x", &an_event("job.create", "job", 0)).await.unwrap();
    }
    let counts = |waiting, later, running| JobCounts { waiting, later, running };
    // A job without an attempt is ready at any time.
    assert_eq!(store.count_jobs(NOON.plus_seconds(-60)).await.unwrap(), counts(3, 0, 0));
    let taken = store.take_job("w1", NOON, NOON.plus_seconds(30), 1).await.unwrap().unwrap();
    assert_eq!(store.count_jobs(NOON).await.unwrap(), counts(2, 0, 1));
    let again = JobEnd::Again(NOON.plus_seconds(90), "later".to_owned());
    assert!(store.end_job(&taken.id, "w1", NOON, &again).await.unwrap());
    assert_eq!(store.count_jobs(NOON).await.unwrap(), counts(2, 1, 0));
    assert_eq!(store.count_jobs(NOON.plus_seconds(90)).await.unwrap(), counts(3, 0, 0));
}
