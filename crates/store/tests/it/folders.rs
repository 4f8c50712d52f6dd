//! Folders on both databases: no cycles and a bounded depth, also for concurrent moves.

use store::{
    Constraint, DiagramFilter, Folder, FolderContents, FolderId, InFolder, MAX_FOLDER_DEPTH, NewDiagram,
    PageRequest, ProjectId, Resource, Store, StoreError, Touched, VersionOf,
};

use crate::databases::{
    NOON, PostgresDatabase, SqliteFile, a_diagram, a_version, an_event, diagram, migrated, project,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn folders_on_sqlite() {
    check_all(&SqliteFile::new().migrated().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn folders_on_postgres() {
    if let Some(database) = PostgresDatabase::new().await {
        let store = migrated(&database.url()).await;
        check_all(&store).await;
        store.close().await;
        database.drop().await;
    }
}

fn id(text: &str) -> FolderId {
    FolderId::parse(text).unwrap()
}

fn a_folder(text: &str, name: &str, parent: Option<&str>) -> Folder {
    Folder {
        id: id(text),
        project_id: ProjectId::default_project(),
        parent_id: parent.map(id),
        name: name.to_owned(),
        folded: name.to_lowercase(),
        revision: 1,
        created_at: NOON,
        updated_at: NOON,
    }
}

async fn make(store: &Store, text: &str, name: &str, parent: Option<&str>) -> Result<(), StoreError> {
    store.create_folder(&a_folder(text, name, parent), &an_event("folder.create", text, 0)).await
}

async fn put(store: &Store, text: &str, parent: Option<&str>) -> Result<Folder, StoreError> {
    let old = store.find_folder(&id(text)).await.unwrap();
    let (names, parent) = ((old.name.as_str(), old.folded.as_str()), parent.map(id));
    let event = an_event("folder.update", text, 0);
    store.update_folder(&old, old.revision, names, parent.as_ref(), &event).await
}

async fn check_all(store: &Store) {
    store.ensure_project(&project("other"), "Other", NOON).await.unwrap();
    folder_name_is_unique_among_siblings(store).await;
    folder_cycle_and_depth_are_refused(store).await;
    concurrent_moves_create_no_cycle(store).await;
    folder_with_contents_is_not_deleted(store).await;
}

async fn folder_name_is_unique_among_siblings(store: &Store) {
    make(store, "a", "Ärzte", None).await.unwrap();
    let taken = StoreError::Conflict { constraint: Constraint::FolderName };
    assert_eq!(make(store, "b", "ÄRZTE", None).await, Err(taken.clone()));
    make(store, "b", "ÄRZTE", Some("a")).await.unwrap();
    assert_eq!(put(store, "b", None).await.unwrap_err(), taken);
    let missing = StoreError::NotFound { what: Resource::Folder };
    assert_eq!(make(store, "c", "C", Some("nowhere")).await, Err(missing.clone()));
    let other_project = Folder { project_id: project("other"), ..a_folder("c", "C", Some("a")) };
    let refused = store.create_folder(&other_project, &an_event("folder.create", "c", 0)).await;
    assert_eq!(refused, Err(missing), "a folder of another project");

    let old = store.find_folder(&id("b")).await.unwrap();
    let event = an_event("folder.update", "b", 0);
    let renamed = store.update_folder(&old, 1, ("B", "b"), None, &event).await.unwrap();
    assert_eq!((renamed.name.as_str(), &renamed.parent_id, renamed.revision), ("B", &None, 2));
    let event = an_event("folder.update", "b", 0);
    let stale = store.update_folder(&old, 1, ("C", "c"), None, &event).await;
    assert_eq!(stale.unwrap_err(), StoreError::Stale { what: Resource::Folder });
}

async fn folder_cycle_and_depth_are_refused(store: &Store) {
    let mut parent: Option<String> = None;
    for depth in 1..=MAX_FOLDER_DEPTH {
        let text = format!("deep-{depth}");
        make(store, &text, &text, parent.as_deref()).await.unwrap();
        parent = Some(text);
    }
    let too_deep = StoreError::FolderTooDeep { most: MAX_FOLDER_DEPTH };
    assert_eq!(make(store, "deep-9", "9", Some("deep-8")).await, Err(too_deep.clone()));
    // Its contents move with it.
    assert_eq!(put(store, "deep-2", Some("a")).await.unwrap().parent_id, Some(id("a")));
    make(store, "shallow", "shallow", Some("b")).await.unwrap();
    assert_eq!(put(store, "deep-2", Some("shallow")).await.unwrap_err(), too_deep);
    let in_itself = StoreError::FolderCycle;
    for within in ["deep-2", "deep-3", "deep-8"] {
        assert_eq!(put(store, "deep-2", Some(within)).await.unwrap_err(), in_itself, "{within}");
    }
}

/// Two folders are repeatedly moved into each other concurrently: one move is refused each time.
async fn concurrent_moves_create_no_cycle(store: &Store) {
    make(store, "left", "left", None).await.unwrap();
    make(store, "right", "right", None).await.unwrap();
    for _ in 0..20 {
        let (one, other) = tokio::join!(put(store, "left", Some("right")), put(store, "right", Some("left")));
        assert_eq!(i32::from(one.is_ok()) + i32::from(other.is_ok()), 1, "{one:?} {other:?}");
        put(store, "left", None).await.unwrap();
        put(store, "right", None).await.unwrap();
    }
    let mut makers = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = store.clone();
        makers.spawn(async move { make(&store, &format!("same-{n}"), "Same", None).await });
    }
    let made = makers.join_all().await;
    assert_eq!(made.iter().filter(|it| it.is_ok()).count(), 1, "{made:?}");
}

async fn folder_with_contents_is_not_deleted(store: &Store) {
    make(store, "full", "full", None).await.unwrap();
    make(store, "inner", "inner", Some("full")).await.unwrap();
    let new = NewDiagram { folder_id: Some(id("full")), ..a_diagram("d-in") };
    let version = a_version("v-in", VersionOf::New(new));
    let none = Touched::Elements(vec![]);
    let (made, _) =
        store.record_version(&version, None, &none, &an_event("diagram.create", "d-in", 1)).await.unwrap();
    assert_eq!(made.folder_id, Some(id("full")));
    let missing = StoreError::NotFound { what: Resource::Folder };
    let nowhere = NewDiagram { folder_id: Some(id("nowhere")), ..a_diagram("d-lost") };
    let version = a_version("v-lost", VersionOf::New(nowhere));
    let lost = store.record_version(&version, None, &none, &an_event("diagram.create", "d-lost", 1)).await;
    assert_eq!(lost.unwrap_err(), missing);

    let full = store.find_folder(&id("full")).await.unwrap();
    let delete = async || store.delete_folder(&full, &an_event("folder.delete", "full", 2)).await;
    let held = FolderContents { folders: 1, diagrams: 1, archived: 0 };
    let refused = delete().await.unwrap_err();
    assert_eq!(refused, StoreError::NotEmpty(held));
    assert!(refused.to_string().contains("one folder and one diagram."), "{refused}");
    put(store, "inner", None).await.unwrap();
    let event = an_event("diagram.update", "d-in", 3);
    let updated =
        store.update_diagram(&made, 1, "Kept", Some(NOON), Some(&id("full")), &event).await.unwrap();
    let refused = delete().await.unwrap_err();
    assert!(refused.to_string().contains("not empty: one diagram (1 archived)."), "{refused}");
    let event = an_event("diagram.update", "d-in", 4);
    let out = store.update_diagram(&updated, 2, "Kept", None, None, &event).await.unwrap();
    assert_eq!(out.folder_id, None);
    delete().await.unwrap();
    assert_eq!(store.find_folder(&id("full")).await.unwrap_err(), missing);
    let event = an_event("diagram.update", "d-in", 5);
    let gone = store.update_diagram(&out, 3, "Kept", None, Some(&id("full")), &event).await;
    assert_eq!(gone.unwrap_err(), missing);
    assert_eq!(store.find_diagram(&diagram("d-in")).await.unwrap().revision, 3, "nothing was written");

    // A diagram is moved in while the folder is deleted: one of the two is refused.
    for round in 0..20 {
        let text = format!("race-{round}");
        make(store, &text, &text, None).await.unwrap();
        let folder = store.find_folder(&id(&text)).await.unwrap();
        let seen = store.find_diagram(&diagram("d-in")).await.unwrap();
        let (event, other) = (an_event("diagram.update", "d-in", 6), an_event("folder.delete", &text, 6));
        let (in_it, gone) = tokio::join!(
            store.update_diagram(&seen, seen.revision, "Kept", None, Some(&folder.id), &event),
            store.delete_folder(&folder, &other)
        );
        assert_ne!(in_it.is_ok(), gone.is_ok(), "{in_it:?} {gone:?}");
    }
    let all = store.list_folders(&ProjectId::default_project(), &PageRequest::first(200)).await.unwrap();
    assert!(all.items.iter().any(|it| it.id == id("inner")));
    let loose = DiagramFilter { folder: Some(InFolder::NoFolder), ..DiagramFilter::default() };
    store.list_diagrams(&ProjectId::default_project(), &loose, &PageRequest::first(10)).await.unwrap();
}
