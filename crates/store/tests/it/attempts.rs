//! Attempts are reserved before they are carried out, so limits hold for concurrent attempts of many processes.

use std::sync::Arc;

use store::{AttemptDecision, AttemptLimit, Store, TimeUs};
use tokio::sync::Barrier;

use crate::databases::{NOON, PostgresDatabase, SqliteFile, migrated};

#[tokio::test(flavor = "multi_thread")]
async fn attempts_on_sqlite() {
    let file = SqliteFile::new();
    check(&file.migrated().await, &file.migrated().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_on_postgres() {
    let Some(database) = PostgresDatabase::new().await else { return };
    let (one, other) = (migrated(&database.url()).await, migrated(&database.url()).await);
    check(&one, &other).await;
    one.close().await;
    other.close().await;
    database.drop().await;
}

/// Two open stores act as two processes.
async fn check(one: &Store, other: &Store) {
    limit_holds_for_concurrent_attempts(one, other).await;
    full_bucket_rolls_back_the_others(one).await;
    returned_attempt_can_be_reserved_again(one).await;
}

fn limit(bucket: &str, max: u32) -> AttemptLimit {
    AttemptLimit { bucket: bucket.to_owned(), max }
}

fn at(seconds: i64) -> TimeUs {
    NOON.plus_seconds(seconds)
}

/// How many of these attempts in a row, at this second and with a window of 100 seconds, are reserved.
async fn reserved(store: &Store, limits: &[AttemptLimit], second: i64, attempts: usize) -> usize {
    let mut count = 0;
    for _ in 0..attempts {
        let decision = store.reserve_attempts(limits, at(second), at(second - 100)).await.unwrap();
        count += usize::from(decision == AttemptDecision::Reserved);
    }
    count
}

async fn limit_holds_for_concurrent_attempts(one: &Store, other: &Store) {
    const CALLERS: usize = 200;
    let barrier = Arc::new(Barrier::new(CALLERS));
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..CALLERS {
        let store = if number % 2 == 0 { one.clone() } else { other.clone() };
        let barrier = Arc::clone(&barrier);
        callers.spawn(async move {
            // In both orders: transactions with two buckets must not deadlock.
            let mut limits = vec![limit("parallel", 10), limit("crowd", 1000)];
            if number % 4 < 2 {
                limits.reverse();
            }
            barrier.wait().await;
            store.reserve_attempts(&limits, NOON, at(-100)).await.unwrap()
        });
    }
    let decisions = callers.join_all().await;
    let granted = decisions.iter().filter(|decision| **decision == AttemptDecision::Reserved).count();
    assert_eq!((granted, decisions.len()), (10, CALLERS));
    // A refused attempt is not counted: the other bucket holds ten.
    assert_eq!(reserved(one, &[limit("crowd", 12)], 0, 5).await, 2);
}

async fn full_bucket_rolls_back_the_others(store: &Store) {
    let both = [limit("full", 1), limit("roomy", 3)];
    assert_eq!(reserved(store, &both, 0, 5).await, 1);
    assert_eq!(reserved(store, &[limit("roomy", 3)], 0, 5).await, 2);
    let refused = store.reserve_attempts(&both, at(50), at(-50)).await.unwrap();
    assert_eq!(refused, AttemptDecision::Full { since: NOON });
    // The window has expired.
    assert_eq!(reserved(store, &both, 101, 5).await, 1);
}

async fn returned_attempt_can_be_reserved_again(store: &Store) {
    let two = [limit("back", 2)];
    assert_eq!(reserved(store, &two, 0, 3).await, 2);
    store.give_back_attempts(&["back", "never seen"], NOON).await.unwrap();
    assert_eq!(reserved(store, &two, 0, 3).await, 1);
    // An attempt of an expired window does not count in the new one.
    assert_eq!(reserved(store, &two, 101, 3).await, 2);
    store.give_back_attempts(&["back"], NOON).await.unwrap();
    assert_eq!(reserved(store, &two, 101, 3).await, 0);
    for _ in 0..9 {
        store.give_back_attempts(&["back"], at(101)).await.unwrap();
    }
    assert_eq!(reserved(store, &two, 101, 3).await, 2, "the count is never negative");
    store.clear_attempts("back").await.unwrap();
    assert_eq!(reserved(store, &two, 101, 3).await, 2);
}
