//! Acknowledged writes survive a kill.
//!
//! The test starts this binary again as a child process that writes continuously and prints the number of each
//! acknowledged write. The parent reads some lines, kills the child with SIGKILL, reads the remaining output of the
//! child, and searches for every printed number. There is no sleep: the lines are the clock.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use store::{ConnectOptions, Store, VersionOf};

use crate::databases::{
    NOON, SqliteFile, a_diagram, a_generation, a_version, diagram, generation, record, version,
};

const TASKS: u32 = 4;

/// Not a test: the child process. It reads the URL of the database and the round from standard input; with empty input
/// it does nothing.
#[test]
#[ignore = "the child process of `acknowledged_writes_survive_sigkill`"]
fn writes_until_killed() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let Some((round, url)) = line.trim_end().split_once(' ') else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        println!("\nstarted"); // A line of its own: the harness has begun one.
        let store = Store::connect(url, &ConnectOptions::default()).await.unwrap();
        store.migrate(NOON).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..TASKS {
            let (store, prefix) = (store.clone(), format!("{round}-{task}"));
            tasks.spawn(async move {
                for count in 0_u64.. {
                    let id = format!("{prefix}-{count}");
                    let of = match count {
                        0 => VersionOf::New(a_diagram(&prefix)),
                        _ => VersionOf::Existing(diagram(&prefix)),
                    };
                    // Longer than a page of the file, so that a write can be torn.
                    let mut version = a_version(&id, of);
                    version.mermaid = format!("flowchart LR\n{}", format!("  a --> {id}\n").repeat(500));
                    record(&store, a_generation(&id, 0), Some(version)).await.unwrap();
                    println!("kept {id}");
                }
            });
        }
        tasks.join_all().await;
    });
}

/// Runs the child until it printed `lines` lines, kills it, and returns all ids that it acknowledged.
///
/// In every other round the signal is sent only after the log has grown again, so that it arrives during a transaction
/// and not only between two.
fn kill_after(lines: usize, round: usize, file: &SqliteFile) -> Vec<String> {
    let url = file.url();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "durability::writes_until_killed", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{round} {url}").unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.by_ref().any(|line| line == "started"), "the child did not start");
    let mut printed: Vec<_> = said.by_ref().take(lines).collect();
    if round % 2 == 1 {
        let log_bytes = || std::fs::metadata(format!("{}-wal", file.path())).map_or(0, |log| log.len());
        let before = log_bytes();
        // Bounded, because a restarted log does not grow for a while.
        (0..100_000).find(|_| log_bytes() != before);
    }
    child.kill().unwrap(); // SIGKILL on Unix.
    printed.extend(said);
    let status = child.wait().unwrap();
    assert!(!status.success(), "the child ended by itself: {status}");
    printed
        .iter()
        .map(|line| line.strip_prefix("kept ").unwrap_or_else(|| panic!("{line}")).to_owned())
        .collect()
}

#[tokio::test]
async fn acknowledged_writes_survive_sigkill() {
    let file = SqliteFile::new();
    let mut acknowledged = BTreeSet::new();
    // The first rounds stop the opening and the migration.
    for (round, lines) in [0, 1, 0, 7, 61, 23, 150, 2, 97].into_iter().enumerate() {
        acknowledged.extend(kill_after(lines, round, &file));
        look_for(&file, &acknowledged).await;
    }
    assert!(acknowledged.len() >= 341, "{} writes", acknowledged.len());
    eprintln!("{} acknowledged writes survived 9 kills", acknowledged.len());
}

async fn look_for(file: &SqliteFile, acknowledged: &BTreeSet<String>) {
    let store = file.migrated().await;
    for id in acknowledged {
        let (task, count) = id.rsplit_once('-').unwrap();
        let stored = store.find_generation(&generation(id)).await.unwrap();
        assert_eq!(stored.diagram_id, Some(diagram(task)));
        let stored = store.find_version(&version(id)).await.unwrap();
        assert_eq!(u64::from(stored.number), count.parse::<u64>().unwrap() + 1);
        assert!(stored.mermaid.ends_with(&format!("{id}\n")));
    }

    // No partial write, acknowledged or not: the head of each diagram is its newest version.
    let mut raw = file.raw().await;
    let verdict: String = sqlx::query_scalar("pragma integrity_check").fetch_one(&mut raw).await.unwrap();
    assert_eq!(verdict, "ok");
    assert!(sqlx::query("pragma foreign_key_check").fetch_all(&mut raw).await.unwrap().is_empty());
    let torn: i64 = sqlx::query_scalar(
        "select count(*) from diagrams d where head_version <> \
         (select count(*) from diagram_versions v where v.diagram_id = d.id) \
         or head_version <> (select max(number) from diagram_versions v where v.diagram_id = d.id)",
    )
    .fetch_one(&mut raw)
    .await
    .unwrap();
    assert_eq!(torn, 0);
    let orphans: i64 = sqlx::query_scalar(
        "select count(*) from generations g where not exists \
         (select 1 from diagram_versions v where v.generation_id = g.id)",
    )
    .fetch_one(&mut raw)
    .await
    .unwrap();
    assert_eq!(orphans, 0);
    store.close().await;
}
