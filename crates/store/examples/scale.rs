//! How the store behaves when it is full: a hundred thousand diagrams with a million versions, then lists, searches and
//! opens, each timed. Run it as `cargo run --release -p store --example scale -- URL` on a database that may be thrown
//! away; without a URL it takes a SQLite file of its own.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement speaks on the terminal, stops at the first surprise, and is no part of the product"
)]

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use store::{
    AuditFilter, AuditOf, ConnectOptions, Cursor, DiagramFilter, DiagramId, FolderId, InFolder, PageRequest,
    ProjectId, Store, TimeUs, UserId,
};

const PROJECTS: usize = 200;
const DIAGRAMS: usize = 100_000;
const VERSIONS: usize = 10;
const CALLS: usize = 1_000;

/// The words that titles are made of.
const WORDS: [&str; 12] = [
    "order", "customer", "invoice", "delivery", "payment", "claim", "contract", "member", "ticket", "stock",
    "report", "account",
];

fn filling() -> Vec<String> {
    let numbers = |most: usize| {
        format!("with recursive n(i) as (select 0 union all select i + 1 from n where i < {})", most - 1)
    };
    let word = |shift: usize| {
        let cases: String =
            WORDS.iter().enumerate().map(|(n, word)| format!(" when {n} then '{word}'")).collect();
        format!("case ((i / {shift}) % {}){cases} end", WORDS.len())
    };
    let title = format!("{} || ' ' || {} || ' ' || i", word(1), word(12));
    vec![
        format!(
            "{} insert into projects (id, name, created_at) select 'p-' || i, 'Project ' || i, i from n",
            numbers(PROJECTS)
        ),
        format!(
            "{} insert into diagrams (id, project_id, kind, title, created_at, updated_at, head_version) select \
                 'd-' || i, 'p-' || (i % {PROJECTS}), 'class', {title}, i, i, {VERSIONS} from n",
            numbers(DIAGRAMS)
        ),
        format!(
            "{} insert into diagram_versions (id, diagram_id, number, requirement, mermaid, validated, \
                 findings, trace, created_at) select 'v-' || i, 'd-' || (i / {VERSIONS}), 1 + (i % {VERSIONS}), \
                 'A customer places orders. Each order has a number and a date, and ends when it is paid.', \
                 'classDiagram' || chr_newline || '    class Order', true, '[]', '[]', i from n, (select \
                 char(10) as chr_newline) one",
            numbers(DIAGRAMS * VERSIONS)
        ),
        format!(
            "{} insert into diagram_words (project_id, word, diagram_id) select 'p-' || (i % {PROJECTS}), {}, \
                 'd-' || i from n",
            numbers(DIAGRAMS),
            word(1)
        ),
        format!(
            "{} insert into diagram_words (project_id, word, diagram_id) select 'p-' || (i % {PROJECTS}), {} || \
                 '2', 'd-' || i from n",
            numbers(DIAGRAMS),
            word(12)
        ),
        format!(
            "{} insert into diagram_words (project_id, word, diagram_id) select 'p-' || (i % {PROJECTS}), 'n' \
                 || i, 'd-' || i from n",
            numbers(DIAGRAMS)
        ),
        // One large project: half as many diagrams again as all the others, few of them archived, unfiled or of a
        // rare kind.
        "insert into projects (id, name, created_at) values ('p-large', 'Large', 0)".to_owned(),
        "insert into folders (id, project_id, name, folded, revision, created_at, updated_at) values \
             ('f-large', 'p-large', 'a', 'a', 1, 0, 0), ('f-small', 'p-large', 'b', 'b', 1, 0, 0)".to_owned(),
        format!(
            "{} insert into diagrams (id, project_id, kind, title, created_at, updated_at, head_version, \
                 archived_at, folder_id) select 'l-' || i, 'p-large', case when i % 5000 = 7 then 'pie' else \
                 'class' end, 'Large ' || i, i, i, 1, case when i % 5000 = 9 then 1 end, case when i % 5000 = \
                 11 then null when i % 5000 = 13 then 'f-small' else 'f-large' end from n",
            numbers(DIAGRAMS)
        ),
        format!(
            "{} insert into diagram_words (project_id, word, diagram_id) select 'p-large', 'large', 'l-' || i from n",
            numbers(DIAGRAMS)
        ),
        "insert into users (id, email, name, admin, created_at, updated_at) values ('u-1', 'one@example.com', \
             'One', false, 0, 0), ('u-2', 'two@example.com', 'Two', false, 0, 0)".to_owned(),
        "insert into memberships (project_id, user_id, role, created_at) select id, 'u-1', 'owner', 0 from \
             projects where id <> 'default'".to_owned(),
        format!(
            "{} insert into audit_events (id, at, user_id, action, project_id, subject, details) select 'a-' || \
                 i, i, case when i % 50000 = 3 then 'u-1' else 'u-2' end, case when i % 50000 = 5 then \
                 'seldom.done' else 'diagram.update' end, case when i % 2 = 0 then 'p-large' else 'p-' || (i % \
                 {PROJECTS}) end, 'x', '{{}}' from n",
            numbers(5 * DIAGRAMS)
        ),
        "analyze".to_owned(),
    ]
}

async fn fill(url: &str) {
    for statement in filling() {
        if url.starts_with("sqlite:") {
            let mut db = SqliteConnection::connect(url).await.expect("the database");
            sqlx::query(AssertSqlSafe(statement)).execute(&mut db).await.expect("filled");
        } else {
            let mut db = PgConnection::connect(url).await.expect("the database");
            let statement = statement.replace("char(10)", "chr(10)");
            sqlx::query(AssertSqlSafe(statement)).execute(&mut db).await.expect("filled");
        }
    }
}

/// The same sequence on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most
    }
}

async fn measure<F: AsyncFnMut(&mut Dice)>(name: &str, mut call: F) {
    let mut dice = Dice(7);
    let mut times: Vec<Duration> = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begun = Instant::now();
        call(&mut dice).await;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 1000].as_secs_f64() * 1e3;
    println!("{name:<44} median {:7.3} ms   p99 {:7.3} ms   worst {:7.3} ms", at(500), at(990), at(999));
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = format!("sqlite:{}", folder.path().join("scale.db").display());
    let url = std::env::args().nth(1).unwrap_or(own);
    let store = Store::connect(&url, &ConnectOptions::default()).await.expect("the database");
    store.migrate(TimeUs::from_micros(0)).await.expect("tables");
    let begun = Instant::now();
    fill(&url).await;
    println!(
        "{}: {PROJECTS} projects, {DIAGRAMS} diagrams, {} versions, made in {:.0} s",
        store.backend(),
        DIAGRAMS * VERSIONS,
        begun.elapsed().as_secs_f64()
    );
    let project = |dice: &mut Dice| ProjectId::parse(format!("p-{}", dice.below(PROJECTS))).expect("an id");
    let diagram = |dice: &mut Dice| DiagramId::parse(format!("d-{}", dice.below(DIAGRAMS))).expect("an id");
    let all = DiagramFilter::default();
    measure("list, first page", async |dice| {
        let page = store.list_diagrams(&project(dice), &all, &PageRequest::first(50)).await.expect("a page");
        assert_eq!(page.items.len(), 50);
    })
    .await;
    measure("list, somewhere", async |dice| {
        let at = dice.below(DIAGRAMS);
        let cursor = Cursor::parse(&format!("{at}~d-{at}")).expect("a cursor");
        store.list_diagrams(&project(dice), &all, &PageRequest::after(cursor, 50)).await.expect("a page");
    })
    .await;
    measure("list, of everybody", async |_| {
        store.list_diagrams_of(None, &PageRequest::first(50)).await.expect("a page");
    })
    .await;
    let large = ProjectId::parse("p-large").expect("an id");
    let folder = |id: &str| Some(InFolder::This(FolderId::parse(id).expect("an id")));
    let kind = |word: &str| Some(word.to_owned());
    for (name, filter) in [
        ("large, all", all.clone()),
        ("large, usual kind", DiagramFilter { kind: kind("class"), ..all.clone() }),
        ("large, seldom kind", DiagramFilter { kind: kind("pie"), ..all.clone() }),
        ("large, kind that is not there", DiagramFilter { kind: kind("er"), ..all.clone() }),
        ("large, large folder", DiagramFilter { folder: folder("f-large"), ..all.clone() }),
        ("large, small folder", DiagramFilter { folder: folder("f-small"), ..all.clone() }),
        ("large, in no folder", DiagramFilter { folder: Some(InFolder::NoFolder), ..all.clone() }),
        ("large, archived", DiagramFilter { archived: true, ..all.clone() }),
        (
            "large, small folder and usual",
            DiagramFilter { folder: folder("f-small"), kind: kind("class"), ..all.clone() },
        ),
        (
            "large, unfiled and seldom",
            DiagramFilter { folder: Some(InFolder::NoFolder), kind: kind("pie"), ..all.clone() },
        ),
        ("large, archived and usual", DiagramFilter { archived: true, kind: kind("class"), ..all.clone() }),
        (
            "large, folder and archived",
            DiagramFilter { archived: true, folder: folder("f-large"), ..all.clone() },
        ),
        ("large, archived and seldom", DiagramFilter { archived: true, kind: kind("pie"), ..all.clone() }),
        (
            "large, folder and seldom",
            DiagramFilter { folder: folder("f-large"), kind: kind("pie"), archived: false },
        ),
        (
            "large, unfiled and usual",
            DiagramFilter { folder: Some(InFolder::NoFolder), kind: kind("class"), archived: false },
        ),
    ] {
        measure(name, async |_| {
            store.list_diagrams(&large, &filter, &PageRequest::first(50)).await.expect("a page");
        })
        .await;
        measure(&format!("{name}, searched"), async |_| {
            store.search_diagrams(&large, "larg", &filter, 50).await.expect("hits");
        })
        .await;
    }
    let one = UserId::parse("u-1").expect("an id");
    let moment = |at: i64| Some(TimeUs::from_micros(at));
    let events = AuditFilter::default();
    for (name, filter) in [
        ("events, all", events.clone()),
        ("events, of a seldom person", AuditFilter { user: Some(one.clone()), ..events.clone() }),
        ("events, a narrow while", AuditFilter { from: moment(1_000), to: moment(1_010), ..events.clone() }),
        ("events, a while without any", AuditFilter { from: moment(-20), to: moment(-10), ..events.clone() }),
        ("events, usual action", AuditFilter { action: Some("diagram.".to_owned()), ..events.clone() }),
        ("events, seldom action", AuditFilter { action: Some("seldom.".to_owned()), ..events.clone() }),
    ] {
        for (whose, of) in [("", AuditOf::Everyone), (", large", AuditOf::Project(&large))] {
            measure(&format!("{name}{whose}"), async |_| {
                store.list_audit_events(of, &filter, &PageRequest::first(50)).await.expect("a page");
            })
            .await;
        }
    }
    measure("search, one word", async |dice| {
        let word = WORDS[dice.below(WORDS.len())];
        store.search_diagrams(&project(dice), &word[..4], &all, 50).await.expect("hits");
    })
    .await;
    measure("search, two words", async |dice| {
        let (one, two) = (WORDS[dice.below(WORDS.len())], WORDS[dice.below(WORDS.len())]);
        store.search_diagrams(&project(dice), &format!("{one} {two}2"), &all, 50).await.expect("hits");
    })
    .await;
    measure("open, newest version", async |dice| {
        let found = store.find_diagram(&diagram(dice)).await.expect("a diagram");
        store.find_version_number(&found.id, found.head_version).await.expect("a version");
    })
    .await;
    measure("versions of a diagram", async |dice| {
        let page = store.list_versions(&diagram(dice), &PageRequest::first(50)).await.expect("a page");
        assert_eq!(page.items.len(), VERSIONS);
    })
    .await;
    store.close().await;
}
