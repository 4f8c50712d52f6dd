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
use store::{ConnectOptions, Cursor, DiagramId, PageRequest, ProjectId, Store, TimeUs};

const PROJECTS: usize = 200;
const DIAGRAMS: usize = 100_000;
const VERSIONS: usize = 10;
const CALLS: usize = 3_000;

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
            "{} insert into diagrams (id, project_id, kind, title, created_at, updated_at, head_version) select 'd-' || i, 'p-' || (i % {PROJECTS}), 'class', {title}, i, i, {VERSIONS} from n",
            numbers(DIAGRAMS)
        ),
        format!(
            "{} insert into diagram_versions (id, diagram_id, number, requirement, mermaid, validated, findings, trace, created_at) select 'v-' || i, 'd-' || (i / {VERSIONS}), 1 + (i % {VERSIONS}), 'A customer places orders. Each order has a number and a date, and ends when it is paid.', 'classDiagram' || chr_newline || '    class Order', true, '[]', '[]', i from n, (select char(10) as chr_newline) one",
            numbers(DIAGRAMS * VERSIONS)
        ),
        format!(
            "{} insert into diagram_words (project_id, word, diagram_id) select 'p-' || (i % {PROJECTS}), {}, 'd-' || i from n",
            numbers(DIAGRAMS),
            word(1)
        ),
        format!(
            "{} insert into diagram_words (project_id, word, diagram_id) select 'p-' || (i % {PROJECTS}), {} || '2', 'd-' || i from n",
            numbers(DIAGRAMS),
            word(12)
        ),
        format!(
            "{} insert into diagram_words (project_id, word, diagram_id) select 'p-' || (i % {PROJECTS}), 'n' || i, 'd-' || i from n",
            numbers(DIAGRAMS)
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
    println!("{name:<28} median {:7.3} ms   p99 {:7.3} ms   worst {:7.3} ms", at(500), at(990), at(999));
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
    measure("list, first page", async |dice| {
        let page = store.list_diagrams(&project(dice), &PageRequest::first(50)).await.expect("a page");
        assert_eq!(page.items.len(), 50);
    })
    .await;
    measure("list, somewhere", async |dice| {
        let at = dice.below(DIAGRAMS);
        let cursor = Cursor::parse(&format!("{at}~d-{at}")).expect("a cursor");
        store.list_diagrams(&project(dice), &PageRequest::after(cursor, 50)).await.expect("a page");
    })
    .await;
    measure("list, of everybody", async |_| {
        store.list_diagrams_of(None, &PageRequest::first(50)).await.expect("a page");
    })
    .await;
    measure("search, one word", async |dice| {
        let word = WORDS[dice.below(WORDS.len())];
        store.search_diagrams(&project(dice), &word[..4], 50).await.expect("hits");
    })
    .await;
    measure("search, two words", async |dice| {
        let (one, two) = (WORDS[dice.below(WORDS.len())], WORDS[dice.below(WORDS.len())]);
        store.search_diagrams(&project(dice), &format!("{one} {two}2"), 50).await.expect("hits");
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
