//! Copying all data into another database without loss.

use std::time::Duration;

use store::{
    AttemptLimit, CodePurpose, ConnectOptions, Constraint, NewUser, OneTimeCode, Requirement, RequirementId,
    Role, Session, SessionId, Store, StoreError, TimeUs, Token, TokenId, Touched, TraceLink, TraceLinkId,
    UserId, VersionOf,
};

use crate::databases::{
    NOON, PostgresDatabase, SqliteFile, a_diagram, a_generation, a_version, an_event, diagram, migrated,
    project, record,
};

const HARD_TEXT: &str = "'; drop table users; --\r\n\t\"$1\" \\ % _ äöü 統一 🧭 \u{202e}rtl\u{feff}\u{1} end";

async fn fill(store: &Store) {
    let at = |seconds: i64| TimeUs::from_micros(NOON.as_micros() + seconds);
    let user = |id: &str, email: &str| NewUser {
        id: UserId::parse(id).unwrap(),
        email: email.to_owned(),
        name: HARD_TEXT.to_owned(),
        password_hash: Some("$argon2id$x".to_owned()),
        admin: id == "u-1",
        verified_at: None,
        created_at: NOON,
        project_id: project(&format!("p-{id}")),
        project_name: HARD_TEXT.to_owned(),
        must_be_first: false,
        must_be_invited: false,
        identity: Some(("https://accounts.example.com".to_owned(), id.to_owned())),
    };
    store.create_user(&user("u-1", "one@example.com"), &an_event("user.create", "u-1", 1)).await.unwrap();
    store.create_user(&user("u-2", "two@example.com"), &an_event("user.create", "u-2", 2)).await.unwrap();
    let taken = store.create_user(&user("u-3", "two@example.com"), &an_event("user.create", "u-3", 3)).await;
    assert_eq!(taken.unwrap_err(), StoreError::Conflict { constraint: Constraint::EmailAddress });
    let one = UserId::parse("u-1").unwrap();
    store
        .set_member(
            &project("p-u-2"),
            &UserId::parse("u-2").unwrap(),
            Role::Owner,
            &an_event("member.update", "u-2", 4),
        )
        .await
        .unwrap();
    let session = Session {
        id: SessionId::parse("s-1").unwrap(),
        secret_hash: "hash".to_owned(),
        previous_hash: None,
        user_id: one.clone(),
        device: HARD_TEXT.to_owned(),
        created_at: NOON,
        rotated_at: at(1),
        seen_at: at(2),
        expires_at: at(3),
    };
    store
        .create_session(&session, "device", Some("$argon2id$x"), &an_event("session.create", "s-1", 5))
        .await
        .unwrap();
    let token = Token {
        id: TokenId::parse("t-1").unwrap(),
        user_id: one.clone(),
        name: HARD_TEXT.to_owned(),
        secret_hash: "token hash".to_owned(),
        scopes: "read write".to_owned(),
        created_at: NOON,
        expires_at: Some(at(i64::from(u32::MAX))),
        used_at: None,
        revoked_at: None,
    };
    store.create_token(&token, Some(&session.id), &an_event("token.create", "t-1", 6)).await.unwrap();
    let bucket = AttemptLimit { bucket: "bucket".to_owned(), max: 1 };
    store.reserve_attempts(&[bucket], NOON, NOON).await.unwrap();
    let code = OneTimeCode { user_id: Some(one.clone()), email: None, created_at: NOON, expires_at: at(9) };
    store.create_code("code hash", CodePurpose::ResetPassword, &code).await.unwrap();
    // More than one batch.
    for number in 0..620 {
        let version = a_version(&format!("v-{number}"), VersionOf::New(a_diagram(&format!("d-{number}"))));
        record(store, a_generation(&format!("g-{number}"), number), Some(version)).await.unwrap();
    }
    let next = a_version("v-next", VersionOf::Existing(diagram("d-1")));
    let touched = Touched::Everything;
    store.record_version(&next, Some(1), &touched, &an_event("version.create", "d-1", 7)).await.unwrap();
    let new = [(RequirementId::parse("r-1").unwrap(), HARD_TEXT.to_owned())];
    let default = project("default");
    let made: Vec<Requirement> = store
        .create_requirements(&default, &new, Some(&one), &an_event("requirement.create", "r-1", 8))
        .await
        .unwrap();
    let link = TraceLink {
        id: TraceLinkId::parse("l-1").unwrap(),
        project_id: default,
        requirement_id: made[0].id.clone(),
        requirement_version: 1,
        diagram_id: diagram("d-1"),
        element: HARD_TEXT.to_owned(),
        diagram_version: 2,
        suspect: None,
        created_by: Some(one),
        created_at: NOON,
    };
    store.create_trace_link(&link, &an_event("trace_link.create", "l-1", 9)).await.unwrap();
}

async fn lines(store: &Store) -> Vec<String> {
    let mut lines = Vec::new();
    store.dump(|line| lines.push(line.to_owned())).await.unwrap();
    lines
}

/// Copies into another database and back.
async fn there_and_back(from: &Store, to: &Store, back: &Store) {
    let before = lines(from).await;
    assert!(before.len() > 2_500, "{}", before.len());
    let moved = from.copy_into(to).await.unwrap();
    assert_eq!(moved.rows.iter().map(|(_, rows)| *rows).sum::<u64>(), before.len() as u64);
    assert!(moved.rows.contains(&("diagrams", 620)), "{:?}", moved.rows);
    assert_eq!(lines(to).await, before);
    to.copy_into(back).await.unwrap();
    assert_eq!(lines(back).await, before);
    // The copy is usable: the next version gets the next number.
    let next = a_version("v-after", VersionOf::Existing(diagram("d-1")));
    let (advanced, _) = back
        .record_version(&next, Some(2), &Touched::Elements(vec![]), &an_event("version.create", "d-1", 10))
        .await
        .unwrap();
    assert_eq!(advanced.head_version, 3);
    // Existing data is not overwritten.
    let refused = from.copy_into(back).await.unwrap_err();
    assert!(refused.to_string().contains("not empty"), "{refused}");
}

#[tokio::test]
async fn sqlite_to_sqlite_and_back() {
    let (one, two, three) = (SqliteFile::new(), SqliteFile::new(), SqliteFile::new());
    let from = one.migrated().await;
    fill(&from).await;
    there_and_back(&from, &two.migrated().await, &three.migrated().await).await;
}

#[tokio::test]
async fn sqlite_to_postgres_and_back() {
    let Some(database) = PostgresDatabase::new().await else { return };
    let (one, three) = (SqliteFile::new(), SqliteFile::new());
    let (from, to) = (one.migrated().await, migrated(&database.url()).await);
    fill(&from).await;
    there_and_back(&from, &to, &three.migrated().await).await;
    to.close().await;
    database.drop().await;
}

#[tokio::test]
async fn failed_copy_is_rolled_back() {
    let (one, two) = (SqliteFile::new(), SqliteFile::new());
    let (from, to) = (one.migrated().await, two.migrated().await);
    fill(&from).await;
    let before = lines(&to).await;
    sqlx::query("create trigger no_links before insert on trace_links begin select raise(abort, 'no'); end")
        .execute(&mut two.raw().await)
        .await
        .unwrap();
    assert!(from.copy_into(&to).await.is_err());
    assert_eq!(lines(&to).await, before);
    to.ping(Duration::from_secs(5)).await.unwrap();
    let other = Store::connect(&two.url(), &ConnectOptions::default()).await.unwrap();
    assert_eq!(lines(&other).await, before);
}
