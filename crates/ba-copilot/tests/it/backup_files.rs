//! The backup file: each kind of damage is reported by name; a backup from before an upgrade; and decryption with age.

use std::{
    fs,
    io::{Read, Write},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{Connection, Executor, SqliteConnection};
use test_support::skip;

use crate::backup::{PASSPHRASE, Place, block_on};

/// A backup split into its manifest and its other files, in order.
pub(crate) type Parts = (Value, Vec<(String, Vec<u8>)>);

pub(crate) fn take_apart(file: &[u8]) -> Parts {
    let mut tar = tar::Archive::new(zstd::Decoder::new(file).expect("zstd"));
    let mut parts = Vec::new();
    for entry in tar.entries().expect("entries") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a name").display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("bytes");
        parts.push((name, bytes));
    }
    let (name, manifest) = parts.remove(0);
    assert_eq!(name, "manifest.json", "the manifest comes first");
    (serde_json::from_slice(&manifest).expect("JSON"), parts)
}

/// Packs the parts as the program does, including the checksum.
pub(crate) fn put_together((manifest, files): &Parts) -> Vec<u8> {
    let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 0).expect("zstd"));
    let manifest = ("manifest.json".to_owned(), manifest.to_string().into_bytes());
    for (name, bytes) in [&manifest].into_iter().chain(files) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes.as_slice()).expect("written");
    }
    let mut file = tar.into_inner().expect("tar").finish().expect("zstd");
    let hash = Sha256::digest(&file);
    file.extend([0x5a, 0x2a, 0x4d, 0x18, 36, 0, 0, 0]);
    file.extend(b"BACO");
    file.extend(hash);
    file
}

#[test]
fn each_kind_of_broken_backup_is_named_and_overwrites_nothing() {
    let place = Place::new(&[]);
    place.run_ok(&["user", "add", "ada@example.com"]);
    let plain = fs::read(place.create()).expect("a backup");
    let sealed_place = [("BACKUP_PASSPHRASE", PASSPHRASE)];
    let to = place.backups();
    let sealed = place.run_with(&["backup", "create", "--to", to.to_str().expect("a path")], &sealed_place);
    assert_eq!(sealed.code, 0, "{}", sealed.err);
    assert!(fs::metadata(sealed.out.trim()).is_ok());
    let sealed = fs::read(sealed.out.trim()).expect("a backup");
    let (manifest, files) = take_apart(&plain);
    assert_eq!(files.len(), 1, "without a passphrase there is no key in it");
    let before = (place.dump(), fs::read(place.data().join("secret.key")).ok());

    let with = |change: &dyn Fn(&mut Parts)| {
        let mut parts = (manifest.clone(), files.clone());
        change(&mut parts);
        put_together(&parts)
    };
    let unsound = {
        let copy = place.folder.path().join("unsound.db");
        fs::write(&copy, &files[0].1).expect("a copy");
        block_on(async {
            let mut database =
                SqliteConnection::connect(&format!("sqlite:{}", copy.display())).await.expect("open");
            database.execute("drop trigger audit_events_never_change").await.expect("dropped");
            database.close().await.expect("closed");
        });
        fs::read(&copy).expect("a copy")
    };
    let listed = |parts: &mut Parts, bytes: Vec<u8>| {
        parts.0["files"][0]["size_bytes"] = bytes.len().into();
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        parts.0["files"][0]["sha256"] = hash.into();
        parts.1[0].1 = bytes;
    };
    let mut cases: Vec<(String, Vec<u8>, Option<&str>, &str, i32)> = vec![
        ("another file".into(), b"# Notes\n".to_vec(), None, "not a backup", 1),
        ("nothing".into(), Vec::new(), None, "not a backup", 1),
        ("cut off".into(), plain[..plain.len() - 1].to_vec(), None, "damaged", 1),
        ("half".into(), plain[..plain.len() / 2].to_vec(), None, "damaged", 1),
        ("longer".into(), [&plain[..], b"x"].concat(), None, "damaged", 1),
        ("no passphrase".into(), sealed.clone(), None, "BACKUP_PASSPHRASE", 2),
        (
            "a wrong passphrase".into(),
            sealed.clone(),
            Some("another passphrase, as long"),
            "does not open",
            1,
        ),
        ("sealed and cut off".into(), sealed[..sealed.len() - 1].to_vec(), Some(PASSPHRASE), "damaged", 1),
        ("a missing database".into(), with(&|parts| parts.1.clear()), None, "lacks database.sqlite", 1),
        (
            "a missing file".into(),
            with(&|parts| {
                let more = json!({"name": "secret.key", "size_bytes": 43, "sha256": "00"});
                parts.0["files"].as_array_mut().expect("a list").push(more);
            }),
            None,
            "lacks secret.key",
            1,
        ),
        (
            "an additional file".into(),
            with(&|parts| parts.1.push(("folder/x".into(), b"x".to_vec()))),
            None,
            "damaged",
            1,
        ),
        (
            "another file in it".into(),
            with(&|parts| parts.1[0].1[5000] ^= 1),
            None,
            "differs from its manifest",
            1,
        ),
        ("a newer format".into(), with(&|parts| parts.0["format"] = 2.into()), None, "has format 2", 2),
        (
            "a newer schema".into(),
            with(&|parts| {
                parts.0["schema"] = 9999.into();
                parts.0["needs_schema"] = 9999.into();
            }),
            None,
            "has schema 9999",
            2,
        ),
        (
            "a lost row".into(),
            with(&|parts| parts.0["counts"]["users"] = 2.into()),
            None,
            "users has 1 rows instead of 2",
            1,
        ),
        (
            "a changed row".into(),
            with(&|parts| parts.0["rows_sha256"] = "00".into()),
            None,
            "differ from the original",
            1,
        ),
        ("a missing guard".into(), with(&|parts| listed(parts, unsound.clone())), None, "guards", 1),
        ("no database".into(), with(&|parts| listed(parts, vec![7; 4096])), None, "failed verification", 1),
        (
            "from PostgreSQL".into(),
            with(&|parts| {
                parts.0["database"] = "postgres".into();
                parts.0["files"][0]["name"] = "database.pgdump".into();
                parts.1[0].0 = "database.pgdump".into();
            }),
            None,
            "PostgreSQL",
            2,
        ),
    ];
    // One changed byte at any position.
    for (what, file, passphrase) in [("plain", &plain, None), ("sealed", &sealed, Some(PASSPHRASE))] {
        let step = (file.len() / 40).max(1);
        for at in (0..file.len()).step_by(step).chain([file.len() - 1]) {
            let mut changed = file.clone();
            changed[at] ^= 0x10;
            let said = if at < 250 { "" } else { "damaged" };
            cases.push((format!("byte {at} of the {what} one"), changed, passphrase, said, 1));
        }
    }
    let file = place.folder.path().join("ba-copilot-20270101T000000Z-x.tar.zst");
    let name = file.to_str().expect("a path").to_owned();
    for (at, (what, bytes, passphrase, said, code)) in cases.iter().enumerate() {
        fs::write(&file, bytes).expect("written");
        let variables: Vec<(&str, &str)> = passphrase.iter().map(|it| ("BACKUP_PASSPHRASE", *it)).collect();
        let tried = place.run_with(&["backup", "verify", &name], &variables);
        let all = format!("{}{}", tried.out, tried.err);
        assert!(tried.code == *code && all.contains(said), "{what}: {} {all}", tried.code);
        assert!(
            all.contains("backup")
                || all.contains("newer program")
                || all.contains("PASSPHRASE")
                || *code == 2,
            "{what}: {all}"
        );
        // Restoring gives the same result before it changes anything.
        if at < 20 || at % 10 == 0 {
            let restored = place.run_with(&["backup", "restore", &name], &variables);
            assert!(
                restored.code == 2 && restored.err.contains(said),
                "{what}: {} {}",
                restored.code,
                restored.err
            );
        }
    }
    assert!(
        (place.dump(), fs::read(place.data().join("secret.key")).ok()) == before,
        "existing data is unchanged"
    );
    let left: Vec<_> =
        fs::read_dir(place.data()).expect("the folder").flatten().map(|it| it.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".ba-copilot")), "{left:?}");
    // The result of the last verification is recorded.
    let found = place.run(&["backup", "list", place.folder.path().to_str().expect("a path")]);
    assert!(found.code == 0 && found.out.contains("bad at"), "{}{}", found.out, found.err);
}

#[test]
fn backup_of_an_older_version_is_migrated() {
    let place = Place::new(&[]);
    place.run_ok(&["user", "add", "ada@example.com"]);
    let then = place.dump();
    // The state before the newest migration.
    block_on(async {
        let mut database = SqliteConnection::connect(&place.url()).await.expect("open");
        for undo in [
            "drop index invitations_by_mailed_hash",
            "alter table invitations drop column mailed_hash",
            "delete from _sqlx_migrations where version = 11",
        ] {
            database.execute(undo).await.expect(undo);
        }
        database.close().await.expect("closed");
    });
    let file = place.create();
    let file = file.to_str().expect("a path");
    let tried = place.run_ok(&["backup", "verify", file]);
    assert!(tried.contains("Applied migrations: 0011_proven_addresses"), "{tried}");
    place.destroy();
    place.run_ok(&["backup", "restore", file]);
    assert_eq!(place.dump(), then);
}

#[test]
fn age_decrypts_an_encrypted_backup() {
    let there = Command::new("age").arg("--version").output().is_ok_and(|output| output.status.success());
    let script = Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success());
    if !there || !script {
        skip("age or script(1) is not installed (packages age and bsdutils)");
        return;
    }
    let place = Place::new(&[("BACKUP_PASSPHRASE", PASSPHRASE)]);
    place.run_ok(&["user", "add", "ada@example.com"]);
    let file = place.create();
    let opened = place.folder.path().join("opened.tar.zst");
    // age reads a passphrase only from a terminal.
    let mut asked = Command::new("script")
        .args(["-qec", &format!("age -d -o {} {}", opened.display(), file.display()), "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script starts");
    let mut input = asked.stdin.take().expect("input");
    input.write_all(format!("{PASSPHRASE}\n").as_bytes()).expect("typed");
    let output = asked.wait_with_output().expect("an end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let (manifest, files) = take_apart(&fs::read(&opened).expect("opened"));
    assert_eq!(manifest["format"], 1);
    assert!(files.iter().any(|(name, _)| name == "secret.key"));
    // The decrypted file is a valid backup, too.
    place.run_ok(&["backup", "verify", opened.to_str().expect("a path")]);
}
