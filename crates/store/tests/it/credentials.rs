//! Credentials besides the password: external identities, recovery codes, and a change of the e-mail address.

use store::{
    CodePurpose, Constraint, CredentialEvents, Field, Identity, NewUser, OneTimeCode, Resource, SecondFactor,
    Store, StoreError, TimeUs, User, UserId, UserUpdate,
};

use crate::databases::{NOON, PostgresDatabase, SqliteFile, an_event, migrated, project};

const ISSUER: &str = "https://accounts.example.com";

#[tokio::test]
async fn credentials_on_sqlite() {
    let file = SqliteFile::new();
    check_all(&file.migrated().await).await;
}

#[tokio::test]
async fn credentials_on_postgres() {
    let Some(database) = PostgresDatabase::new().await else { return };
    let store = migrated(&database.url()).await;
    check_all(&store).await;
    store.close().await;
    database.drop().await;
}

async fn check_all(store: &Store) {
    identity_belongs_to_one_user(store).await;
    last_credential_is_not_deleted(store).await;
    recovery_code_is_accepted_once(store).await;
    email_changes_to_an_unused_address(store).await;
    deleted_user_leaves_no_personal_data(store).await;
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
        must_be_invited: false,
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

async fn link(store: &Store, subject: &str, user: &str, email: &str) -> Result<User, StoreError> {
    let [change, verified, revoked] =
        ["identity.create", "email.verify", "credentials.revoke"].map(|action| an_event(action, user, 1));
    let events = CredentialEvents { change: &change, verified: &verified, revoked: &revoked };
    store.create_identity(&identity(subject, user, 1), email, events).await
}

async fn subjects(store: &Store, user: &str) -> Vec<String> {
    store.list_identities(&id(user)).await.unwrap().into_iter().map(|it| it.subject).collect()
}

async fn identity_belongs_to_one_user(store: &Store) {
    person(store, "ada", true, None).await.unwrap();
    person(store, "grace", false, Some("s-grace")).await.unwrap();
    assert_eq!(store.find_identity(ISSUER, "s-grace").await.unwrap().user_id, id("grace"));
    // A user is not created if the identity is already linked.
    let taken = person(store, "eve", false, Some("s-grace")).await.unwrap_err();
    assert_eq!(taken, StoreError::Conflict { constraint: Constraint::Identity });
    assert_eq!(store.find_user(&id("eve")).await.unwrap_err(), StoreError::NotFound { what: Resource::User });

    // Ada has a password and a second factor from before her address was verified: both are revoked, unless the
    // identity is already linked; then nothing is written.
    let set = an_event("second_factor.set", "ada", 1);
    let factor = SecondFactor { sealed: "sealed", step: 7 };
    store.set_second_factor(&id("ada"), Some(factor), &["r".to_owned()], None, &set).await.unwrap();
    let taken = link(store, "s-grace", "ada", "ada@example.com").await;
    assert_eq!(taken.unwrap_err(), StoreError::Conflict { constraint: Constraint::Identity });
    assert!(store.find_user(&id("ada")).await.unwrap().password_hash.is_some());
    for (user, email) in [("eve", "eve@example.com"), ("ada", "grace@example.com")] {
        let missing = link(store, "s-eve", user, email).await;
        assert_eq!(missing.unwrap_err(), StoreError::NotFound { what: Resource::User }, "{user} {email}");
    }
    let nul = link(store, "s\0", "ada", "ada@example.com").await;
    assert_eq!(nul.unwrap_err(), StoreError::Invalid { what: Field::Subject });
    let linked = link(store, "S-ADA", "ada", "ada@example.com").await.unwrap();
    assert!(linked.verified_at.is_some(), "the address is verified");
    assert_eq!((linked.password_hash, linked.second_factor), (None, None));
    assert_eq!(store.count_recovery_codes(&id("ada")).await.unwrap(), 0);
    // A password set after that is preserved.
    store
        .change_password(&id("ada"), "$argon2id$y", None, &an_event("password.change", "ada", 2))
        .await
        .unwrap();
    let linked = link(store, "S-ADA-2", "ada", "ada@example.com").await.unwrap();
    assert_eq!(linked.password_hash.as_deref(), Some("$argon2id$y"));
    store.delete_identity(&id("ada"), ISSUER, "S-ADA-2", &an_event("identity.delete", "x", 2)).await.unwrap();
    // The comparison is exact, and only together with the issuer.
    for (issuer, subject) in [(ISSUER, "s-ada"), ("https://accounts.example.org", "S-ADA")] {
        let found = store.find_identity(issuer, subject).await;
        assert_eq!(found, Err(StoreError::NotFound { what: Resource::Identity }), "{issuer} {subject}");
    }
}

async fn last_credential_is_not_deleted(store: &Store) {
    let gone = async |user: &str, subject: &str| {
        store.delete_identity(&id(user), ISSUER, subject, &an_event("identity.delete", subject, 2)).await
    };
    assert_eq!(gone("ada", "s-grace").await, Err(StoreError::NotFound { what: Resource::Identity }));
    assert_eq!(gone("grace", "s-grace").await, Err(StoreError::LastCredential));
    assert_eq!(subjects(store, "grace").await, ["s-grace"]);
    // Verified by mail, so that nothing is revoked.
    let event = an_event("email.verify", "grace", 3);
    let code = OneTimeCode {
        user_id: Some(id("grace")),
        email: Some("grace@example.com".to_owned()),
        created_at: NOON,
        expires_at: TimeUs::from_micros(i64::MAX),
    };
    store.create_code("of grace", CodePurpose::VerifyEmail, &code).await.unwrap();
    store.verify_email("of grace", &id("grace"), &event, &event).await.unwrap();
    link(store, "s-grace-2", "grace", "grace@example.com").await.unwrap();
    // Concurrently: one of them remains.
    let (one, two) = tokio::join!(gone("grace", "s-grace"), gone("grace", "s-grace-2"));
    assert_eq!([&one, &two].iter().filter(|it| it.is_ok()).count(), 1, "{one:?} {two:?}");
    assert_eq!(subjects(store, "grace").await.len(), 1);
    // With a password, no identity is needed.
    gone("ada", "S-ADA").await.unwrap();
    assert_eq!(subjects(store, "ada").await, [""; 0]);
}

async fn recovery_code_is_accepted_once(store: &Store) {
    let ada = id("ada");
    let hashes = |prefix: &str| (0..10).map(|n| format!("{prefix}-{n}")).collect::<Vec<_>>();
    let made = |n| an_event("recovery_codes.create", "ada", n);
    let none = store.replace_recovery_codes(&ada, &hashes("a"), None, &made(4)).await;
    assert_eq!(none, Err(StoreError::NotFound { what: Resource::SecondFactor }));
    let set = an_event("second_factor.set", "ada", 5);
    store
        .set_second_factor(&ada, Some(SecondFactor { sealed: "sealed", step: 7 }), &hashes("a"), None, &set)
        .await
        .unwrap();
    let uses = async |user: &str, hash: &str| {
        store.use_recovery_code(&id(user), hash, &an_event("recovery_code.use", user, 6)).await.unwrap()
    };
    assert!(!uses("grace", "a-1").await, "a code of another user");
    let (one, two) = tokio::join!(uses("ada", "a-1"), uses("ada", "a-1"));
    assert!(one != two, "accepted once, also concurrently");
    assert_eq!(store.count_recovery_codes(&ada).await.unwrap(), 9);
    store.replace_recovery_codes(&ada, &hashes("b"), None, &made(7)).await.unwrap();
    assert!(!uses("ada", "a-2").await && uses("ada", "b-2").await);
    assert_eq!(store.count_recovery_codes(&ada).await.unwrap(), 9);
    // Recovery codes are deleted with the second factor.
    store
        .set_second_factor(&ada, None, &[], None, &an_event("second_factor.delete", "ada", 8))
        .await
        .unwrap();
    assert_eq!(store.count_recovery_codes(&ada).await.unwrap(), 0);
}

async fn email_changes_to_an_unused_address(store: &Store) {
    let ada = id("ada");
    let code = |email: &str| OneTimeCode {
        user_id: Some(id("ada")),
        email: Some(email.to_owned()),
        created_at: NOON,
        expires_at: TimeUs::from_micros(i64::MAX),
    };
    store.create_code("reset", CodePurpose::ResetPassword, &code("ada@example.com")).await.unwrap();
    store.create_code("verify", CodePurpose::VerifyEmail, &code("ada@example.org")).await.unwrap();
    let [verified, changed] = ["email.verify", "email.change"].map(|action| an_event(action, "ada", 9));
    let open =
        async |secret: &str, user: &str| store.verify_email(secret, &id(user), &verified, &changed).await;
    let missing = Err(StoreError::NotFound { what: Resource::Link });
    // A token belongs to one account, whichever user is signed in.
    assert_eq!(open("verify", "grace").await, missing);
    store.create_code("taken", CodePurpose::VerifyEmail, &code("grace@example.com")).await.unwrap();
    assert_eq!(open("verify", "ada").await, missing, "the newer token replaced it");
    assert_eq!(
        open("taken", "ada").await,
        Err(StoreError::Conflict { constraint: Constraint::EmailAddress })
    );
    assert!(store.find_code("reset", CodePurpose::ResetPassword, NOON).await.is_ok(), "nothing was written");
    store.create_code("verify", CodePurpose::VerifyEmail, &code("ada@example.org")).await.unwrap();
    open("verify", "ada").await.unwrap();
    assert_eq!(open("verify", "ada").await, missing, "accepted once");
    assert_eq!(store.find_user_by_email("ada@example.org").await.unwrap().id, ada);
    // Links sent to the old address are invalid.
    assert!(store.find_code("reset", CodePurpose::ResetPassword, NOON).await.is_err());
    store.create_code("late", CodePurpose::VerifyEmail, &code("ada@example.net")).await.unwrap();
    let update = |disabled| UserUpdate { disabled: Some(disabled), ..UserUpdate::default() };
    let event = an_event("user.update", "ada", 10);
    store.update_user(&ada, &update(true), &event).await.unwrap();
    assert_eq!(open("late", "ada").await, missing);
    // Another update of the user does not undo it.
    let named = UserUpdate { name: Some("Ada"), ..UserUpdate::default() };
    let changed = store.update_user(&ada, &named, &an_event("user.update", "ada", 11)).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.disabled_at, changed.admin), ("Ada", Some(event.at), false));
}

async fn deleted_user_leaves_no_personal_data(store: &Store) {
    let grace = id("grace");
    let set = an_event("second_factor.set", "grace", 11);
    store
        .set_second_factor(
            &grace,
            Some(SecondFactor { sealed: "sealed", step: 7 }),
            &["c".to_owned()],
            None,
            &set,
        )
        .await
        .unwrap();
    store.delete_user(&grace, &an_event("user.delete", "grace", 12)).await.unwrap();
    assert_eq!(subjects(store, "grace").await, [""; 0]);
    assert_eq!(store.count_recovery_codes(&grace).await.unwrap(), 0);
}
