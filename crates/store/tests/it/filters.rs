//! Filters of lists, on both databases: every page of every filter equals the result of filtering all rows.

use store::{
    AuditEvent, AuditFilter, AuditOf, Comment, CommentFilter, CommentId, Diagram, DiagramFilter, Folder,
    FolderId, InFolder, LinkFilter, NewDiagram, NewUser, Page, PageRequest, ProjectId, Requirement,
    RequirementFilter, RequirementId, Store, TimeUs, Touched, TraceLink, TraceLinkId, UserId, VersionOf,
};

use crate::databases::{
    NOON, PostgresDatabase, SqliteFile, a_diagram, a_version, an_event, diagram, migrated, project,
};

#[tokio::test]
async fn filters_on_sqlite() {
    check_all(&SqliteFile::new().migrated().await).await;
}

#[tokio::test]
async fn filters_on_postgres() {
    if let Some(database) = PostgresDatabase::new().await {
        let store = migrated(&database.url()).await;
        check_all(&store).await;
        store.close().await;
        database.drop().await;
    }
}

async fn check_all(store: &Store) {
    diagrams(store).await;
    requirements(store).await;
    comments_and_links(store).await;
    events(store).await;
}

fn at(seconds: i64) -> TimeUs {
    NOON.plus_seconds(seconds)
}

/// Every page of a list, with a few rows each.
async fn pages<T>(fetch: impl AsyncFn(PageRequest) -> Page<T>) -> Vec<T> {
    let mut all = Vec::new();
    let mut request = PageRequest::first(3);
    loop {
        let page = fetch(request).await;
        assert!(page.items.len() <= 3);
        all.extend(page.items);
        let Some(next) = page.next else { return all };
        request = PageRequest::after(next, 3);
    }
}

async fn diagrams(store: &Store) {
    let folder = |id: &str| Folder {
        id: FolderId::parse(id).unwrap(),
        project_id: ProjectId::default_project(),
        parent_id: None,
        name: id.to_owned(),
        folded: id.to_owned(),
        revision: 1,
        created_at: NOON,
        updated_at: NOON,
    };
    for id in ["f-1", "f-2"] {
        store.create_folder(&folder(id), &an_event("folder.create", id, 0)).await.unwrap();
    }
    let mut all: Vec<Diagram> = Vec::new();
    for n in 0..48_i64 {
        let id = format!("d-{n:02}");
        let new = NewDiagram {
            kind: if n % 3 == 0 { "class" } else { "sequence" }.to_owned(),
            title: if n % 5 == 0 { format!("Order {n}") } else { format!("Claim {n}") },
            folder_id: (n % 4 < 2).then(|| FolderId::parse(format!("f-{}", 1 + n % 4)).unwrap()),
            ..a_diagram(&id)
        };
        let version = a_version(&format!("v-{n}"), VersionOf::New(new));
        // Several at the same time.
        let event = an_event("diagram.create", &id, n / 5);
        let none = Touched::Elements(vec![]);
        let (mut made, _) = store.record_version(&version, None, &none, &event).await.unwrap();
        if n % 7 == 0 {
            let event = an_event("diagram.update", &id, 100);
            let folder = made.folder_id.clone();
            made = store
                .update_diagram(&made, 1, &made.title, Some(NOON), folder.as_ref(), &event)
                .await
                .unwrap();
        }
        all.push(made);
    }
    all.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    let folders = [None, Some(InFolder::NoFolder), Some(InFolder::This(FolderId::parse("f-1").unwrap()))];
    for kind in [None, Some("class"), Some("no such kind")] {
        for folder in &folders {
            for archived in [false, true] {
                let filter =
                    DiagramFilter { kind: kind.map(str::to_owned), folder: folder.clone(), archived };
                let wanted = |it: &&Diagram| {
                    kind.is_none_or(|kind| it.kind == kind)
                        && it.archived_at.is_some() == archived
                        && match folder {
                            None => true,
                            Some(InFolder::NoFolder) => it.folder_id.is_none(),
                            Some(InFolder::This(id)) => it.folder_id.as_ref() == Some(id),
                        }
                };
                let expected: Vec<&Diagram> = all.iter().filter(wanted).collect();
                let default = ProjectId::default_project();
                let found =
                    pages(async |page| store.list_diagrams(&default, &filter, &page).await.unwrap()).await;
                assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?}");
                let expected: Vec<&Diagram> =
                    expected.into_iter().filter(|it| it.title.starts_with("Order")).collect();
                let found = store.search_diagrams(&default, "ord", &filter, 50).await.unwrap();
                assert_eq!(found.iter().collect::<Vec<_>>(), expected, "ord in {filter:?}");
            }
        }
    }
}

async fn requirements(store: &Store) {
    let default = ProjectId::default_project();
    let event = || an_event("requirement.create", "r", 0);
    let new: Vec<_> = (0..2_500)
        .map(|n| {
            let text = match n {
                3 => "A clerk takes the ÖFFNUNG of the claim.".to_owned(),
                n if n % 2 == 0 => format!("An order, number {n}, is paid."),
                n => format!("A claim, number {n}, is settled."),
            };
            (RequirementId::parse(format!("r-{n}")).unwrap(), text)
        })
        .collect();
    let made = store.create_requirements(&default, &new, None, &event()).await.unwrap();
    for old in &made[10..14] {
        store.update_requirement(&old.id, 1, None, Some(NOON), None, &event()).await.unwrap();
    }
    let numbers = async |archived: bool, words: Option<&str>| {
        let filter = RequirementFilter { archived, words: words.map(str::to_owned) };
        let found =
            pages(async |page| store.list_requirements(&default, &filter, &page).await.unwrap()).await;
        found.iter().map(|it: &Requirement| it.number).collect::<Vec<_>>()
    };
    let expected: Vec<i64> = (1..=2_500).rev().filter(|n| !(11..=14).contains(n)).collect();
    assert_eq!(numbers(false, None).await, expected);
    assert_eq!(numbers(true, None).await, [14, 13, 12, 11]);
    assert_eq!(numbers(true, Some("CLAIM settl")).await, [14, 12]);
    assert_eq!(numbers(false, Some("öffn claim")).await, [4], "beyond the rows that one call reads");
    assert_eq!(numbers(false, Some("no such word")).await, Vec::<i64>::new());
    assert_eq!(numbers(true, Some(" ,; ")).await.len(), 4, "no words match every row");
    // A call reads a bounded number of rows and returns where to continue, and a full page is full.
    let filter = RequirementFilter { archived: false, words: Some("öffnung".to_owned()) };
    let first = store.list_requirements(&default, &filter, &PageRequest::first(50)).await.unwrap();
    assert!(first.items.is_empty() && first.next.is_some());
    let filter = RequirementFilter { archived: false, words: Some("order".to_owned()) };
    let full = store.list_requirements(&default, &filter, &PageRequest::first(200)).await.unwrap();
    assert_eq!(full.items.len(), 200);
}

async fn comments_and_links(store: &Store) {
    let of = diagram("d-01");
    for n in 0..24_i64 {
        let element = (n % 3 > 0).then(|| format!("E{}", n % 3));
        let comment = Comment {
            id: CommentId::parse(format!("c-{n:02}")).unwrap(),
            project_id: ProjectId::default_project(),
            diagram_id: of.clone(),
            version: 1,
            element: element.clone(),
            body: "Hm.".to_owned(),
            created_by: None,
            created_at: at(n / 5),
            resolved_by: None,
            resolved_at: (n % 2 == 0).then_some(NOON),
        };
        store.create_comment(&comment, &an_event("comment.create", "c", 0)).await.unwrap();
        let link = TraceLink {
            id: TraceLinkId::parse(format!("l-{n:02}")).unwrap(),
            project_id: ProjectId::default_project(),
            requirement_id: RequirementId::parse(format!("r-{n}")).unwrap(),
            requirement_version: 1,
            diagram_id: of.clone(),
            element: element.unwrap_or("E0".to_owned()),
            diagram_version: 1,
            suspect: (n % 2 == 0).then(|| "diagram".to_owned()),
            created_by: None,
            created_at: at(n / 5),
        };
        store.create_trace_link(&link, &an_event("trace_link.create", "l", 0)).await.unwrap();
    }
    for yes in [None, Some(true), Some(false)] {
        for element in [None, Some("E1"), Some("E9")] {
            let fits = |n: &i64, given: bool| {
                yes.is_none_or(|yes| yes == (n % 2 == 0))
                    && element.is_none_or(|element| given && element == format!("E{}", n % 3))
            };
            let expected: Vec<String> =
                (0..24).rev().filter(|n| fits(n, n % 3 > 0)).map(|n| format!("c-{n:02}")).collect();
            let filter = CommentFilter { resolved: yes, element: element.map(str::to_owned) };
            let found = pages(async |page| store.list_comments(&of, &filter, &page).await.unwrap()).await;
            assert_eq!(found.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), expected, "{filter:?}");
            let expected: Vec<String> =
                (0..24).rev().filter(|n| fits(n, true)).map(|n| format!("l-{n:02}")).collect();
            let filter = LinkFilter { suspect: yes, element: element.map(str::to_owned) };
            let found = pages(async |page| store.list_trace_links(&of, &filter, &page).await.unwrap()).await;
            assert_eq!(found.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), expected, "{filter:?}");
        }
    }
}

async fn events(store: &Store) {
    let new_user = |id: &str| NewUser {
        id: UserId::parse(id).unwrap(),
        email: format!("{id}@example.com"),
        name: id.to_owned(),
        password_hash: None,
        admin: false,
        verified_at: None,
        created_at: NOON,
        project_id: project(&format!("p-{id}")),
        project_name: id.to_owned(),
        must_be_first: false,
        must_be_invited: false,
        identity: None,
    };
    for id in ["u-1", "u-2"] {
        store.create_user(&new_user(id), &an_event("user.create", id, 0)).await.unwrap();
    }
    let quiet = project("quiet");
    store.ensure_project(&quiet, "Quiet", NOON).await.unwrap();
    let actions = ["diagram.create", "diagram.update", "diagrams.odd", "folder.create"];
    for n in 0..2_300_i64 {
        let mut event = an_event(actions[usize::try_from(n % 4).unwrap()], "x", 1_000 + n / 3);
        event.project_id = Some(quiet.clone());
        event.user_id = (n % 5 > 0).then(|| UserId::parse(if n % 5 == 1 { "u-1" } else { "u-2" }).unwrap());
        if n == 7 {
            event.action = "seldom.done";
        }
        store.record_audit_event(&event).await.unwrap();
    }
    let list = async |of: AuditOf<'_>, filter: &AuditFilter| {
        pages(async |page| store.list_audit_events(of, filter, &page).await.unwrap()).await
    };
    let all = list(AuditOf::Project(&quiet), &AuditFilter::default()).await;
    assert_eq!(all.len(), 2_300);
    let everything = list(AuditOf::Everyone, &AuditFilter::default()).await;
    assert!(everything.len() > 2_300);
    let user = UserId::parse("u-1").unwrap();
    let first = all.last().map(|it| it.at).unwrap();
    let cases = [
        (Some("diagram.create"), false, None, None),
        (Some("diagram."), true, None, None),
        (Some("diagram"), false, None, None),
        (Some("seldom.done"), false, None, None),
        (Some("seldom."), true, Some(20), Some(1)),
        (None, true, None, None),
        (None, false, Some(100), Some(200)),
        (None, true, Some(100), Some(101)),
        (None, false, Some(100), Some(100)),
        (Some("folder."), true, Some(50), None),
        (None, false, None, Some(3)),
    ];
    for (action, by_user, from, to) in cases {
        let filter = AuditFilter {
            action: action.map(str::to_owned),
            user: by_user.then(|| user.clone()),
            from: from.map(|seconds| first.plus_seconds(seconds)),
            to: to.map(|seconds| first.plus_seconds(seconds)),
        };
        let wanted = |it: &&AuditEvent| {
            action.is_none_or(|asked| {
                it.action == asked || (asked.ends_with('.') && it.action.starts_with(asked))
            }) && (!by_user || it.user_id.as_ref() == Some(&user))
                && filter.from.is_none_or(|from| it.at >= from)
                && filter.to.is_none_or(|to| it.at < to)
        };
        for (of, rows) in [(AuditOf::Project(&quiet), &all), (AuditOf::Everyone, &everything)] {
            let expected: Vec<&AuditEvent> = rows.iter().filter(wanted).collect();
            assert_eq!(list(of, &filter).await.iter().collect::<Vec<_>>(), expected, "{filter:?} of {of:?}");
        }
    }
}
