//! How people come in besides a password: identities elsewhere and recovery codes; and a new e-mail address.

use store::{CodePurpose, Identity, NewUser, OneTimeCode, Store, StoreError, TimeUs, User, UserId};

use crate::databases::{NOON, PostgresDatabase, SqliteFile, an_event, migrated, project};

const ISSUER: &str = "https://accounts.example.com";

#[tokio::test]
async fn ways_in_on_sqlite() {
    let file = SqliteFile::new();
    tell(&file.migrated().await).await;
}

#[tokio::test]
async fn ways_in_on_postgres() {
    let Some(database) = PostgresDatabase::new("ways_in_on_postgres").await else { return };
    let store = migrated(&database.url()).await;
    tell(&store).await;
    store.close().await;
    database.drop().await;
}

async fn tell(store: &Store) {
    identities_are_somebodys_once(store).await;
    the_last_way_in_stays(store).await;
    recovery_codes_are_good_once(store).await;
    an_address_changes_when_it_is_free(store).await;
    nothing_is_left_of_who_leaves(store).await;
}

fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

async fn person(
    store: &Store,
    name: &str,
    password: bool,
    subject: Option<&str>,
) -> Result<User, StoreError> {
    let new = NewUser {
        id: id(name),
        email: format!("{name}@example.com"),
        name: name.to_owned(),
        password_hash: password.then(|| "$argon2id$x".to_owned()),
        admin: false,
        verified_at: None,
        created_at: NOON,
        project_id: project(&format!("p-{name}")),
        project_name: name.to_owned(),
        must_be_first: false,
        identity: subject.map(|subject| (ISSUER.to_owned(), subject.to_owned())),
    };
    store.create_user(&new, &an_event("user.create", name, 0)).await
}

fn identity(subject: &str, user: &str, seconds: i64) -> Identity {
    Identity {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        user_id: id(user),
        created_at: TimeUs::from_micros(NOON.as_micros() + seconds),
    }
}

async fn subjects(store: &Store, user: &str) -> Vec<String> {
    store.list_identities(&id(user)).await.unwrap().into_iter().map(|it| it.subject).collect()
}

async fn identities_are_somebodys_once(store: &Store) {
    person(store, "ada", true, None).await.unwrap();
    person(store, "grace", false, Some("s-grace")).await.unwrap();
    assert_eq!(store.find_identity(ISSUER, "s-grace").await.unwrap().user_id, id("grace"));
    // A person whose identity is taken is not made by half.
    let taken = person(store, "eve", false, Some("s-grace")).await.unwrap_err();
    assert_eq!(taken, StoreError::Conflict { constraint: "identity" });
    assert_eq!(store.find_user(&id("eve")).await.unwrap_err(), StoreError::NotFound { what: "user" });

    let event = |subject: &str| an_event("identity.create", subject, 1);
    store.create_identity(&identity("S-ADA", "ada", 1), &event("S-ADA")).await.unwrap();
    assert!(store.find_user(&id("ada")).await.unwrap().verified_at.is_some(), "the address is proven");
    let taken = store.create_identity(&identity("s-grace", "ada", 2), &event("s-grace")).await;
    assert_eq!(taken, Err(StoreError::Conflict { constraint: "identity" }));
    let nobody = store.create_identity(&identity("s-eve", "eve", 2), &event("s-eve")).await;
    assert_eq!(nobody, Err(StoreError::NotFound { what: "user" }));
    let nul = store.create_identity(&identity("s\0", "ada", 2), &event("s")).await;
    assert_eq!(nul, Err(StoreError::Invalid { what: "subject" }));
    // Letter by letter, and only together with the issuer.
    for (issuer, subject) in [(ISSUER, "s-ada"), ("https://accounts.example.org", "S-ADA")] {
        let found = store.find_identity(issuer, subject).await;
        assert_eq!(found, Err(StoreError::NotFound { what: "identity" }), "{issuer} {subject}");
    }
}

async fn the_last_way_in_stays(store: &Store) {
    let gone = async |user: &str, subject: &str| {
        store.delete_identity(&id(user), ISSUER, subject, &an_event("identity.delete", subject, 2)).await
    };
    assert_eq!(gone("ada", "s-grace").await, Err(StoreError::NotFound { what: "identity" }));
    assert_eq!(gone("grace", "s-grace").await, Err(StoreError::LastWayIn));
    assert_eq!(subjects(store, "grace").await, ["s-grace"]);
    store
        .create_identity(&identity("s-grace-2", "grace", 3), &an_event("identity.create", "s-grace-2", 3))
        .await
        .unwrap();
    // Both at once: one of them stays.
    let (one, two) = tokio::join!(gone("grace", "s-grace"), gone("grace", "s-grace-2"));
    assert_eq!([&one, &two].iter().filter(|it| it.is_ok()).count(), 1, "{one:?} {two:?}");
    assert_eq!(subjects(store, "grace").await.len(), 1);
    // Whoever has a password needs none.
    gone("ada", "S-ADA").await.unwrap();
    assert_eq!(subjects(store, "ada").await, [""; 0]);
}

async fn recovery_codes_are_good_once(store: &Store) {
    let ada = id("ada");
    let hashes = |prefix: &str| (0..10).map(|n| format!("{prefix}-{n}")).collect::<Vec<_>>();
    let made = |n| an_event("recovery_codes.create", "ada", n);
    let none = store.replace_recovery_codes(&ada, &hashes("a"), &made(4)).await;
    assert_eq!(none, Err(StoreError::NotFound { what: "second factor" }));
    let set = an_event("second_factor.set", "ada", 5);
    store.set_second_factor(&ada, Some("sealed"), &hashes("a"), &set).await.unwrap();
    let uses = async |user: &str, hash: &str| {
        store.use_recovery_code(&id(user), hash, &an_event("recovery_code.use", user, 6)).await.unwrap()
    };
    assert!(!uses("grace", "a-1").await, "somebody else's");
    let (one, two) = tokio::join!(uses("ada", "a-1"), uses("ada", "a-1"));
    assert!(one != two, "once, also of two at the same time");
    assert_eq!(store.count_recovery_codes(&ada).await.unwrap(), 9);
    store.replace_recovery_codes(&ada, &hashes("b"), &made(7)).await.unwrap();
    assert!(!uses("ada", "a-2").await && uses("ada", "b-2").await);
    assert_eq!(store.count_recovery_codes(&ada).await.unwrap(), 9);
    // They go with the second factor.
    store.set_second_factor(&ada, None, &[], &an_event("second_factor.delete", "ada", 8)).await.unwrap();
    assert_eq!(store.count_recovery_codes(&ada).await.unwrap(), 0);
}

async fn an_address_changes_when_it_is_free(store: &Store) {
    let ada = id("ada");
    let code = |email: &str| OneTimeCode {
        user_id: Some(id("ada")),
        email: Some(email.to_owned()),
        created_at: NOON,
        expires_at: TimeUs::from_micros(i64::MAX),
    };
    store.create_code("reset", CodePurpose::ResetPassword, &code("ada@example.com")).await.unwrap();
    store.create_code("verify", CodePurpose::VerifyEmail, &code("ada@example.org")).await.unwrap();
    let event = || an_event("email.change", "ada", 9);
    let taken = store.change_email(&ada, "grace@example.com", &event()).await;
    assert_eq!(taken, Err(StoreError::Conflict { constraint: "e-mail address" }));
    assert!(store.find_code("reset", CodePurpose::ResetPassword, NOON).await.is_ok(), "nothing was written");
    store.change_email(&ada, "ada@example.org", &event()).await.unwrap();
    assert_eq!(store.find_user_by_email("ada@example.org").await.unwrap().id, ada);
    // What went to the old address is not good any more.
    assert!(store.find_code("reset", CodePurpose::ResetPassword, NOON).await.is_err());
    assert!(store.find_code("verify", CodePurpose::VerifyEmail, NOON).await.is_ok());
    let disabled = an_event("user.update", "ada", 10);
    store.update_user(&ada, "ada", false, Some(NOON), &disabled).await.unwrap();
    let out = store.change_email(&ada, "ada@example.net", &event()).await;
    assert_eq!(out, Err(StoreError::NotFound { what: "user" }));
}

async fn nothing_is_left_of_who_leaves(store: &Store) {
    let grace = id("grace");
    let set = an_event("second_factor.set", "grace", 11);
    store.set_second_factor(&grace, Some("sealed"), &["c".to_owned()], &set).await.unwrap();
    store.delete_user(&grace, &an_event("user.delete", "grace", 12)).await.unwrap();
    assert_eq!(subjects(store, "grace").await, [""; 0]);
    assert_eq!(store.count_recovery_codes(&grace).await.unwrap(), 0);
}
