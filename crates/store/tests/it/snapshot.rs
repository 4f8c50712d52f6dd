//! Consistent snapshots and integrity checks, on both databases.

use store::{IntegrityFault, Snapshot, Store, VersionOf};

use crate::databases::{PostgresDatabase, SqliteFile, a_diagram, a_generation, a_version, migrated, record};

async fn add(store: &Store, number: i64) {
    let version = a_version(&format!("v-{number}"), VersionOf::New(a_diagram(&format!("d-{number}"))));
    record(store, a_generation(&format!("g-{number}"), number), Some(version)).await.unwrap();
}

/// The number of diagrams in a snapshot, and all rows as lines.
async fn read(mut moment: Snapshot) -> (u64, Vec<String>) {
    let mut lines = Vec::new();
    let facts = moment.list_rows(|line| lines.push(line.to_owned())).await.unwrap();
    assert_eq!(facts.schema, i64::try_from(Store::migrations().len()).unwrap());
    assert_eq!(facts.counts.iter().map(|(_, count)| *count).sum::<u64>(), lines.len() as u64);
    let diagrams = facts.counts.iter().find(|(table, _)| table == "diagrams");
    (diagrams.unwrap().1, lines)
}

/// Later writes are not in the snapshot, and earlier writes are, also beyond the first chunk.
async fn snapshot_is_consistent(store: &Store) {
    add(store, 1).await;
    let moment = store.begin_snapshot().await.unwrap();
    add(store, 2).await;
    assert_eq!(read(moment).await.0, 1);
    assert_eq!(read(store.begin_snapshot().await.unwrap()).await.0, 2);
    for number in 3..=500 {
        add(store, number).await;
    }
    assert_eq!(read(store.begin_snapshot().await.unwrap()).await.0, 500);
    add(store, 501).await;
    assert_eq!(read(store.begin_snapshot().await.unwrap()).await.0, 501);
    assert_eq!(store.find_integrity_faults().await.unwrap(), Vec::<IntegrityFault>::new());
}

#[tokio::test]
async fn snapshot_of_sqlite() {
    let file = SqliteFile::new();
    let store = file.migrated().await;
    snapshot_is_consistent(&store).await;
    // The same snapshot as a file.
    let copy = file.folder.path().join("copy.db");
    store.snapshot_into(&copy).await.unwrap();
    let copied = migrated(&format!("sqlite:{}", copy.display())).await;
    let lines = read(copied.begin_snapshot().await.unwrap()).await.1;
    assert_eq!(lines, read(store.begin_snapshot().await.unwrap()).await.1);
    sqlx::query("drop trigger audit_events_never_change").execute(&mut file.raw().await).await.unwrap();
    sqlx::query("update diagrams set head_version = 7 where id = 'd-3'")
        .execute(&mut file.raw().await)
        .await
        .unwrap();
    let faults = store.find_integrity_faults().await.unwrap();
    let found: Vec<_> = faults.iter().map(|fault| (fault.what, fault.count)).collect();
    assert_eq!(
        found,
        [
            ("guards of what must never change that are missing", 1),
            ("diagrams whose versions are not all there", 1)
        ]
    );
}

#[tokio::test]
async fn snapshot_of_postgres() {
    let Some(database) = PostgresDatabase::new().await else { return };
    let store = migrated(&database.url()).await;
    snapshot_is_consistent(&store).await;
    // Equal contents give equal lines, on both databases.
    let file = SqliteFile::new();
    let other = file.migrated().await;
    store.copy_into(&other).await.unwrap();
    let lines = read(store.begin_snapshot().await.unwrap()).await.1;
    assert!(lines == read(other.begin_snapshot().await.unwrap()).await.1, "other lines");
    sqlx::query("update diagrams set head_version = 7 where id = 'd-3'")
        .execute(&mut database.raw().await)
        .await
        .unwrap();
    assert_eq!(store.find_integrity_faults().await.unwrap().len(), 1);
    store.close().await;
    database.drop().await;
}
