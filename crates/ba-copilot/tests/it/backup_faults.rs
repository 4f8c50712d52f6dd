//! Backups with a fault in the environment: PostgreSQL tools are missing, or the secret key cannot be read. Then
//! nothing is written.

use std::{fs, path::Path, process::Command};

use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};
use test_support::skip;

use crate::{
    acknowledged_writes::Call,
    backup::{PASSPHRASE, Place, Ran, block_on},
    backup_files::{put_together, take_apart},
    postgres::Postgres,
    process::BINARY,
};

/// Runs the program with only the PostgreSQL tools of a folder; `None` where the system does not permit this.
fn with_tools(place: &Place, tools: &Path, arguments: &[&str]) -> Option<Ran> {
    let there = Path::new("/usr/lib/postgresql").exists();
    if !there {
        return Some(place.run_with(arguments, &[("PATH", &tools.display().to_string())]));
    }
    let hidden = "mount -t tmpfs none /usr/lib/postgresql && PATH=\"$TOOLS\" exec \"$@\"";
    let hide = |then: &[&str]| {
        let mut all = vec!["--mount", "sh", "-c", hidden, "sh"];
        all.extend(then);
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let may = Command::new("unshare").args(hide(&["/bin/true"])).env("TOOLS", "/bin").output();
    if !may.is_ok_and(|output| output.status.success()) {
        return None;
    }
    Some(place.run_by("unshare", &hide(&[BINARY]), arguments, &[("TOOLS", &tools.display().to_string())]))
}

#[test]
fn missing_or_old_postgres_tools_are_named() {
    let Some(postgres) = Postgres::start() else { return };
    let place = Place::new(&[("DATABASE_URL", &postgres.url())]);
    place.run_ok(&["user", "add", "ada@example.com"]);
    let made = place.create();
    let made = made.to_str().expect("a path");
    let before = place.dump();
    let tools = place.folder.path().join("tools");
    fs::create_dir(&tools).expect("a folder");
    let to = place.folder.path().join("elsewhere");
    let to = to.to_str().expect("a path");
    for old in [false, true] {
        if old {
            for name in ["pg_dump", "pg_restore"] {
                let file = tools.join(name);
                fs::write(&file, format!("#!/bin/sh\necho '{name} (PostgreSQL) 9.6.24'\n")).expect("written");
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
                fs::set_permissions(&file, mode).expect("a program");
            }
        }
        for (arguments, tool) in [
            (vec!["backup", "create", "--to", to], "pg_dump"),
            (vec!["backup", "verify", made], "pg_restore"),
            (vec!["backup", "restore", made, "--replace"], "pg_restore"),
        ] {
            let Some(ran) = with_tools(&place, &tools, &arguments) else {
                skip("PostgreSQL tools cannot be hidden: unshare needs root");
                return;
            };
            let said = match old {
                true => format!("{tool} has version 9 and cannot read a server of version "),
                false => format!("{tool} is not installed"),
            };
            let all = format!("{}{}", ran.out, ran.err);
            assert!(
                ran.code == 2 && all.contains(&said) && all.contains("Install postgresql-client-"),
                "{arguments:?}: {} {all}",
                ran.code
            );
        }
    }
    let written = fs::read_dir(to).expect("the folder").flatten().map(|it| it.file_name());
    let written: Vec<_> = written.filter(|name| name != ".ba-copilot.lock").collect();
    assert!(written.is_empty(), "{written:?}");
    assert_eq!(place.dump(), before);
    assert_eq!(scratch_databases(&postgres), 0);
}

fn scratch_databases(postgres: &Postgres) -> i64 {
    block_on(async {
        let mut admin = PgConnection::connect(&postgres.url()).await.expect("the server");
        let count = "select count(*) from pg_database where datname like 'ba\\_copilot\\_scratch%' or \
                     datname like '%before\\_restore%'";
        sqlx::query_scalar(count).fetch_one(&mut admin).await.expect("a count")
    })
}

/// An unreadable key may be the only one that decrypts the data: it is not overwritten, and nothing else is changed.
fn check_unreadable_key_is_preserved(place: &Place) {
    let token = place.token();
    seal(place, &token, "sk-or-mine-0123456789");
    let made = place.create();
    let before = place.dump();
    let key = place.data().join("secret.key");
    fs::rename(&key, place.data().join("kept")).expect("moved");
    fs::create_dir(&key).expect("a folder is an unreadable key, also for root");
    let ran = place.run(&["backup", "restore", made.to_str().expect("a path"), "--replace"]);
    assert!(ran.code == 2 && ran.err.contains("secret.key"), "{}{}", ran.out, ran.err);
    assert!(key.is_dir(), "the key is unchanged");
    assert_eq!(place.dump(), before);
    assert_eq!(place.dump_events().iter().filter(|event| event.contains("backup.restore")).count(), 0);
    let left = fs::read_dir(place.data()).expect("the folder").flatten();
    let left: Vec<String> = left.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    let more = |name: &&String| name.starts_with("before-restore") || name.starts_with(".ba-copilot-");
    assert!(!left.iter().any(|name| more(&name)), "{left:?}");
}

#[test]
fn unreadable_secret_key_is_not_overwritten() {
    check_unreadable_key_is_preserved(&Place::new(&[("BACKUP_PASSPHRASE", PASSPHRASE)]));
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url();
    check_unreadable_key_is_preserved(&Place::new(&[
        ("DATABASE_URL", &url),
        ("BACKUP_PASSPHRASE", PASSPHRASE),
    ]));
    assert_eq!(scratch_databases(&postgres), 0, "no temporary database remains");
}

/// Stores an API key of a vendor, which is encrypted.
fn seal(place: &Place, token: &str, key: &str) {
    let server = place.serve(&[]);
    let body = json!({"key": key});
    let put = Call { method: "PUT", ..Call::post("/api/v1/me/provider-keys/openrouter", &body) };
    let answer = put.send(&server.address, token).expect("an answer");
    assert_eq!(answer.status, 204, "{}", answer.json);
    server.signal("-TERM");
    server.wait();
}

#[test]
fn restored_secret_key_precedes_the_existing_one() {
    let theirs = Place::new(&[("BACKUP_PASSPHRASE", PASSPHRASE)]);
    let token = theirs.token();
    seal(&theirs, &token, "sk-or-theirs-0123456789");
    let made = theirs.create();
    let made = made.to_str().expect("a path");
    let ours = Place::new(&[("BACKUP_PASSPHRASE", PASSPHRASE)]);
    let token = ours.token();
    seal(&ours, &token, "sk-or-ours-0123456789");
    let key = |place: &Place| fs::read_to_string(place.data().join("secret.key")).expect("a key");
    let (their_key, our_key) = (key(&theirs), key(&ours));
    assert_ne!(their_key.trim(), our_key.trim());
    let restored = ours.run(&["backup", "restore", made]);
    assert!(restored.code == 0 && restored.out.contains("1 of 1 keys"), "{}{}", restored.out, restored.err);
    assert_eq!(
        key(&ours),
        format!("{},{}", their_key.trim(), our_key.trim()),
        "the first encrypts, all decrypt"
    );
    let doctor = ours.run(&["doctor", "--json"]);
    assert_eq!(doctor.code, 0, "there is no problem: {}", doctor.out);
    // The previous data can be decrypted with the current keys, too.
    let aside = restored
        .err
        .lines()
        .find_map(|line| line.strip_prefix("The previous data is now: "))
        .expect("a place");
    assert_eq!(fs::read_to_string(Path::new(aside).join("secret.key")).expect("a key"), our_key);
}

#[test]
fn backup_with_a_wrong_secret_key_is_rejected() {
    let place = Place::new(&[]);
    let token = place.token();
    seal(&place, &token, "sk-or-mine-0123456789");
    let mut parts = take_apart(&fs::read(place.create()).expect("a backup"));
    let other = b"another-secret-key-of-more-than-32-letters".to_vec();
    let hash: String = Sha256::digest(&other).iter().map(|byte| format!("{byte:02x}")).collect();
    let listed = json!({"name": "secret.key", "size_bytes": other.len(), "sha256": hash});
    parts.0["files"].as_array_mut().expect("a list").push(listed);
    parts.1.push(("secret.key".into(), other));
    let file = place.folder.path().join("other-key.tar.zst");
    fs::write(&file, put_together(&parts)).expect("written");
    let file = file.to_str().expect("a path");
    let (before, key) = (place.dump(), fs::read(place.data().join("secret.key")).expect("a key"));
    let tried = place.run(&["backup", "verify", file]);
    assert!(tried.code == 1 && tried.out.contains("1 of 1 keys"), "{}{}", tried.out, tried.err);
    let restored = place.run(&["backup", "restore", file]);
    assert!(restored.code == 2 && restored.err.contains("cannot be decrypted"), "{}", restored.err);
    assert_eq!((place.dump(), fs::read(place.data().join("secret.key")).expect("a key")), (before, key));
}

/// Backup commands are in the audit log of the database they ran on, and of the restored one.
#[test]
fn backup_commands_are_in_the_audit_log() {
    let place = Place::new(&[("BACKUP_PASSPHRASE", PASSPHRASE)]);
    place.run_ok(&["user", "add", "ada@example.com"]);
    let made = place.create();
    let name = made.file_name().expect("a name").to_string_lossy().into_owned();
    let made = made.to_str().expect("a path");
    place.run_ok(&["backup", "verify", made]);
    let events = place.dump_events().join("\n");
    for said in ["backup.create", "backup.verify", &name, "\\\"good\\\":true", "\\\"encrypted\\\":true"] {
        assert!(events.contains(said), "{said}: {events}");
    }
    place.destroy();
    // There is no database to write to, and none is created.
    place.run_ok(&["backup", "verify", made]);
    assert!(!place.database().exists());
    place.run_ok(&["backup", "restore", made]);
    let events = place.dump_events();
    assert!(
        events.len() == 1 && events[0].contains("backup.restore") && events[0].contains(&name),
        "{events:?}"
    );
    let mut bytes = fs::read(made).expect("a backup");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(made, bytes).expect("damaged");
    assert_eq!(place.run(&["backup", "verify", made]).code, 1);
    let events = place.dump_events().join("\n");
    assert!(events.contains("\\\"good\\\":false"), "{events}");
    for secret in [PASSPHRASE, place.folder.path().to_str().expect("a path")] {
        assert!(!events.contains(secret), "{events}");
    }
}
