//! Backups in S3-compatible storage, with the real program and a third-party server: restore, permission errors, and
//! faults, which leave no incomplete backup.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::Value;
use store::{AuditEventId, ConnectOptions, JsonText, NewAuditEvent, Store, TimeUs};

use crate::{
    acknowledged_writes::wait_for,
    backup::{PASSPHRASE, Place, block_on},
    s3_server::{Fate, Moto, way},
};

const TO: &str = "s3://backups/ba/prod";

/// A server with backups at this address.
fn place(moto: &Moto, address: &str, more: &[(&str, &str)]) -> Place {
    let mut variables = moto.variables(address, "keeper");
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let place = Place::new(&variables);
    place.run_ok(&["user", "add", "ada@example.com"]);
    place
}

/// Incompressible data that needs more than two parts of an upload.
fn fill(place: &Place) {
    let mut dice: u64 = 7;
    let mut text = || -> String {
        let letters = |_| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'0' + ((dice >> 58) as u8))
        };
        (0..1 << 20).map(letters).filter(|c| *c != '\\').collect()
    };
    block_on(async {
        let store = Store::connect(&place.url(), &ConnectOptions::default()).await.expect("the store");
        for number in 0..16 {
            let event = NewAuditEvent {
                id: AuditEventId::parse(format!("aud_{number}")).expect("an id"),
                at: TimeUs::from_micros(1),
                user_id: None,
                token_id: None,
                action: "log_level.update",
                project_id: None,
                subject: "log".to_owned(),
                details: JsonText::encode(&serde_json::json!({"to": text()})).expect("JSON"),
                fence: None,
            };
            store.record_audit_event(&event).await.expect("written");
        }
        store.close().await;
    });
}

fn create(place: &Place) -> String {
    place.run_ok(&["backup", "create", "--to", TO]).trim().to_owned()
}

fn key(address: &str) -> &str {
    address.strip_prefix("s3://backups/").expect("an address of this bucket")
}

/// Creates, lists, verifies and restores a backup after all data is destroyed; the content is unchanged.
fn assert_restores(moto: &Moto, place: &Place) {
    let then = place.dump();
    let made = place.run_ok(&["backup", "create", "--verify", "--to", TO]);
    let address = made.lines().next().expect("an address").to_owned();
    assert!(address.starts_with("s3://backups/ba/prod/ba-copilot-") && made.contains("Good: "), "{made}");
    let listed = place.run_ok(&["backup", "list", TO]);
    assert!(
        listed.lines().count() == 1 && listed.contains("good at") && listed.contains(&address),
        "{listed}"
    );
    let note = format!("{}.verified.json", key(&address));
    assert_eq!(moto.list("objects"), [key(&address), note.as_str()]);
    place.run_ok(&["backup", "verify", &address]);
    place.destroy();
    place.run_ok(&["backup", "restore", &address]);
    assert!(place.dump() == then, "the rows differ");
    assert!(place.dump_events().iter().any(|event| event.contains("backup.restore")));
    assert_eq!(moto.list("uploads"), [""; 0]);
    moto.operator("empty");
}

#[test]
fn backup_in_object_storage_restores_whole_and_in_parts() {
    let Some(moto) = Moto::start() else { return };
    let settings = [("BA_COPILOT__S3__PART_MB", "5"), ("BACKUP_PASSPHRASE", PASSPHRASE)];
    let parts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&parts);
    let address = way(&moto.address, move |_, target| {
        counted.fetch_add(usize::from(target.contains("partNumber=")), Ordering::SeqCst);
        Fate::Passes
    });
    let place = place(&moto, &address, &settings);
    assert_restores(&moto, &place);
    assert_eq!(parts.load(Ordering::SeqCst), 0, "a small backup is sent in one request");
    fill(&place);
    assert_restores(&moto, &place);
    assert!(parts.load(Ordering::SeqCst) >= 3, "a large backup is sent in parts");
}

#[test]
fn storage_permission_errors_are_explained() {
    let Some(moto) = Moto::start() else { return };
    let place = place(&moto, &moto.address, &[]);
    let made = create(&place);
    let (_, secret) = moto.keys("keeper");
    let (stranger, strangers) = moto.keys("stranger");
    let closed_port = "http://127.0.0.1:9";
    let cases: [(&str, &[(&str, &str)], &str, [&str; 2]); 10] = [
        (
            "a wrong secret",
            &[("AWS_SECRET_ACCESS_KEY", "another-secret-key-of-40-letters-zzzzzzzz")],
            TO,
            ["403 SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"],
        ),
        (
            "an unknown key",
            &[("AWS_ACCESS_KEY_ID", "AKIANOBODY")],
            TO,
            ["403 InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"],
        ),
        (
            "no permission",
            &[("AWS_ACCESS_KEY_ID", &stranger), ("AWS_SECRET_ACCESS_KEY", &strangers)],
            TO,
            ["403 AccessDenied", "read, write and delete"],
        ),
        ("no bucket", &[], "s3://not-there/x", ["404 NoSuchBucket", "Create the bucket"]),
        (
            "no storage",
            &[("AWS_ENDPOINT_URL_S3", closed_port)],
            TO,
            ["cannot be reached", "AWS_ENDPOINT_URL_S3"],
        ),
        (
            "an invalid endpoint",
            &[("AWS_ENDPOINT_URL_S3", "storage")],
            TO,
            ["s3.endpoint", "https://s3.example.com"],
        ),
        ("no keys", &[("AWS_SECRET_ACCESS_KEY", "")], TO, ["no access key", "AWS_SECRET_ACCESS_KEY_FILE"]),
        ("an invalid bucket name", &[], "s3://Not_One/x", ["has no valid bucket name", "s3://BUCKET/PREFIX"]),
        ("an invalid region", &[("AWS_REGION", "a b")], TO, ["s3.region", "eu-central-1"]),
        ("parts that are too small", &[("BA_COPILOT__S3__PART_MB", "1")], TO, ["s3.part_mb", "5 to 512"]),
    ];
    for (what, variables, to, said) in cases {
        let more = [("LOG_LEVEL", "trace")];
        let variables = [variables, &more].concat();
        for arguments in [vec!["backup", "create", "--to", to], vec!["backup", "list", to]] {
            let ran = place.run_with(&arguments, &variables);
            let all = format!("{}{}", ran.out, ran.err);
            assert!(
                ran.code == 2 && said.iter().all(|said| all.contains(said)),
                "{what}: {} {all}",
                ran.code
            );
            if !said[0].starts_with("s3.") {
                assert!(all.contains(to), "{what}: the address is missing: {all}");
            }
            for secret in [&secret, &strangers] {
                assert!(!all.contains(secret), "{what}: a key is in the output");
            }
        }
    }
    for command in ["verify", "restore"] {
        let ran = place.run(&["backup", command, &format!("{TO}/ba-copilot-20270101T000000Z-x.tar.zst")]);
        let said =
            ["404 NoSuchKey", "ba-copilot-20270101T000000Z-x.tar.zst", "backup list s3://backups/ba/prod"];
        assert!(ran.code == 2 && said.iter().all(|said| ran.err.contains(said)), "{}", ran.err);
    }
    // A key from a file, as secret stores provide it.
    let file = place.folder.path().join("key");
    std::fs::write(&file, format!("{secret}\n")).expect("written");
    let file = file.to_str().expect("a path");
    let ran = place.run_with(
        &["backup", "list", TO],
        &[("AWS_SECRET_ACCESS_KEY", ""), ("AWS_SECRET_ACCESS_KEY_FILE", file)],
    );
    assert!(ran.code == 0 && ran.out.contains(&made), "{}{}", ran.out, ran.err);
    assert_eq!(moto.list("objects"), [key(&made)], "no other objects");
}

/// Faults for requests that `is_one` selects: the first `times` of them get this fate.
fn inject_fault(
    fate: Fate,
    times: usize,
    is_one: impl Fn(&str, &str) -> bool + Send + Sync + 'static,
) -> (Arc<AtomicUsize>, impl Fn(&str, &str) -> Fate + Send + Sync + 'static) {
    let met = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&met);
    let decide = move |method: &str, target: &str| match is_one(method, target)
        && counted.fetch_add(1, Ordering::SeqCst) < times
    {
        true => fate,
        false => Fate::Passes,
    };
    (met, decide)
}

#[test]
fn transient_storage_errors_are_retried() {
    let Some(moto) = Moto::start() else { return };
    let small = place(&moto, &moto.address, &[]);
    let large = place(&moto, &moto.address, &[("BA_COPILOT__S3__PART_MB", "5")]);
    fill(&large);
    let is_object = |target: &str| target.contains(".tar.zst");
    let cases: Vec<(&str, bool, Fate, Box<dyn Fn(&str, &str) -> bool + Send + Sync>)> = vec![
        ("all requests fail at first", false, Fate::Busy, Box::new(|_, _| true)),
        (
            "the connection breaks",
            false,
            Fate::Lost,
            Box::new(move |method, target| method == "PUT" && is_object(target)),
        ),
        ("a part is refused", true, Fate::Busy, Box::new(|_, target| target.contains("partNumber=2"))),
        (
            "the response to the upload is lost",
            false,
            Fate::Unanswered,
            Box::new(|method, _| method == "PUT"),
        ),
        (
            "the response to the last request is lost",
            true,
            Fate::Unanswered,
            Box::new(|method, target| method == "POST" && target.contains("uploadId=")),
        ),
        (
            "the download is interrupted",
            true,
            Fate::HalfAnswered,
            Box::new(move |method, target| method == "GET" && is_object(target) && !target.contains("json")),
        ),
    ];
    for (what, is_large, fate, is_one) in cases {
        let place = if is_large { &large } else { &small };
        let (met, decide) = inject_fault(fate, 2, is_one);
        let address = way(&moto.address, decide);
        let made = place.run_with(
            &["backup", "create", "--verify", "--to", TO],
            &[("AWS_ENDPOINT_URL_S3", address.as_str())],
        );
        assert!(made.code == 0 && made.out.contains("Good: "), "{what}: {}{}", made.out, made.err);
        assert!(met.load(Ordering::SeqCst) > 2, "{what}: no fault occurred");
        let name = made.out.lines().next().expect("an address");
        assert_eq!(moto.list("objects"), [key(name), &format!("{}.verified.json", key(name))], "{what}");
        assert_eq!(moto.list("uploads"), [""; 0], "{what}");
        moto.operator("empty");
    }
}

#[test]
fn permanent_storage_errors_leave_nothing_behind() {
    let Some(moto) = Moto::start() else { return };
    let place = place(&moto, &moto.address, &[("BA_COPILOT__S3__PART_MB", "5")]);
    fill(&place);
    let before = create(&place);
    let forever = usize::MAX;
    // The storage refuses the parts, and the upload is aborted.
    let (_, decide) = inject_fault(Fate::Busy, forever, |_, target| target.contains("partNumber=2"));
    let address = way(&moto.address, decide);
    let create_by = |address: &str| {
        place.run_with(&["backup", "create", "--keep", "1d", "--to", TO], &[("AWS_ENDPOINT_URL_S3", address)])
    };
    let ran = create_by(&address);
    let said = ["s3://backups/ba/prod/ba-copilot-", "503", "Try again later"];
    assert!(ran.code == 2 && said.iter().all(|said| ran.err.contains(said)), "{}", ran.err);
    assert_eq!(moto.list("objects"), [key(&before)]);
    assert_eq!(moto.list("uploads"), [""; 0], "the upload is aborted");
    // The storage becomes unavailable during the upload, so the upload cannot be aborted either.
    let gone = AtomicUsize::new(0);
    let address = way(&moto.address, move |_, target| {
        match target.contains("partNumber=2") || gone.load(Ordering::SeqCst) > 0 {
            true => {
                gone.store(1, Ordering::SeqCst);
                Fate::Lost
            }
            false => Fate::Passes,
        }
    });
    let ran = create_by(&address);
    assert!(ran.code == 2 && ran.err.contains("cannot be reached"), "{}", ran.err);
    assert!(ran.err.contains("could not be aborted"), "the remaining upload is reported: {}", ran.err);
    assert_eq!(
        place.run_ok(&["backup", "list", TO]).lines().count(),
        1,
        "an incomplete backup is not listed"
    );
    // The content is corrupted in transit: in parts, or in one request where parts are larger.
    for part_mb in ["5", "100"] {
        let (_, decide) = inject_fault(Fate::Changed, forever, |method, _| method == "PUT");
        let address = way(&moto.address, decide);
        let variables = [("AWS_ENDPOINT_URL_S3", address.as_str()), ("BA_COPILOT__S3__PART_MB", part_mb)];
        let ran = place.run_with(&["backup", "create", "--to", TO], &variables);
        let said = ["400 XAmzContentSHA256Mismatch", "corrupted"];
        assert!(ran.code == 2 && said.iter().all(|said| ran.err.contains(said)), "{}", ran.err);
    }
    assert_eq!(moto.list("objects"), [key(&before)]);
    let staging = std::fs::read_dir(place.data()).expect("the folder").flatten();
    let staging: Vec<_> = staging.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    assert!(staging.iter().all(|name| name == ".ba-copilot.lock" || !name.starts_with('.')), "{staging:?}");
}

#[test]
fn changed_byte_in_storage_is_detected() {
    let Some(moto) = Moto::start() else { return };
    for passphrase in ["", PASSPHRASE] {
        let place = place(&moto, &moto.address, &[("BACKUP_PASSPHRASE", passphrase)]);
        let made = create(&place);
        let before = place.dump();
        moto.operator(&format!("flip {}", key(&made)));
        let tried = place.run(&["backup", "verify", &made]);
        assert!(
            tried.code == 1 && tried.out.contains("damaged") && tried.out.contains(&made),
            "{}",
            tried.out
        );
        let restored = place.run(&["backup", "restore", &made]);
        assert!(restored.code == 2 && restored.err.contains("damaged"), "{}", restored.err);
        assert_eq!(place.dump(), before, "nothing was overwritten");
        let listed = place.run_ok(&["backup", "list", TO]);
        assert!(listed.contains("bad at"), "{listed}");
        moto.operator("empty");
    }
}

#[test]
fn retention_deletes_only_old_backups() {
    let Some(moto) = Moto::start() else { return };
    let place = place(&moto, &moto.address, &[]);
    let first = create(&place);
    place.run_ok(&["backup", "verify", &first]);
    let (first, note) = (key(&first).to_owned(), format!("{}.verified.json", key(&first)));
    let old = |day: u32| format!("ba/prod/ba-copilot-202601{day:02}T000000Z-x.tar.zst");
    for name in [
        old(1),
        old(2),
        "ba/prod/notes.txt".into(),
        "ba/prod/ba-copilot-20260101T000000Z-x.tar.zst/deeper".into(),
        "ba/ba-copilot-20260101T000000Z-x.tar.zst".into(),
    ] {
        moto.operator(&format!("copy {first} {name}"));
    }
    // Of the old backups, this one was verified.
    moto.operator(&format!("copy {note} {}.verified.json", old(2)));
    let kept = moto.list("objects").len();
    let made = place.run(&["backup", "create", "--keep", "7d", "--to", TO]);
    assert_eq!(made.code, 0, "{}", made.err);
    for day in [1, 2] {
        assert!(made.err.contains(&format!("Deleted s3://backups/{}", old(day))), "{}", made.err);
    }
    let there = moto.list("objects");
    assert!(!there.iter().any(|name| name.starts_with(&old(1)) && !name.contains("deeper")), "{there:?}");
    assert!(!there.iter().any(|name| name.starts_with(&old(2))), "{there:?}");
    assert!(there.contains(&first) && there.contains(&note), "the newest verified backup is kept: {there:?}");
    assert_eq!(there.len(), kept - 3 + 1, "{there:?}");
}

#[test]
fn scheduled_backups_to_storage_run_one_at_a_time() {
    let Some(moto) = Moto::start() else { return };
    let more =
        [("BA_COPILOT__BACKUP__DIR", TO), ("BA_COPILOT__BACKUP__EVERY_H", "1"), ("LOG_LEVEL", "debug")];
    let place = place(&moto, &moto.address, &more);
    let servers = [place.serve(&[]), place.serve(&[])];
    let gauge = |name: &str| {
        servers.iter().any(|server| {
            let (_, page) = server.request("GET", "/metrics", "").expect("metrics");
            page.lines().any(|line| line.strip_prefix(name).is_some_and(|value| value.trim() != "0"))
        })
    };
    wait_for("a verified backup", || gauge("ba_copilot_backup_last_verified_timestamp_seconds "));
    let listed = place.run_ok(&["backup", "list", "--json"]);
    assert_eq!(listed.lines().count(), 1, "only one process creates a backup: {listed}");
    let found: Value = serde_json::from_str(listed.trim()).expect("JSON");
    assert_eq!(found["verified"]["good"], true, "{found}");
    let doctor = place.run(&["doctor"]);
    assert!(doctor.out.contains(found["file"].as_str().expect("an address")), "{}", doctor.out);
    wait_for("both events", || place.dump_events().len() == 2);
    let events = place.dump_events().join("\n");
    assert!(events.contains("backup.create") && events.contains("backup.verify"), "{events}");
    let (id, secret) = moto.keys("keeper");
    for server in servers {
        server.signal("-TERM");
        let (status, log) = server.wait();
        assert!(status.code() == Some(0) && !log.contains("\"level\":\"ERROR\""), "{log}");
        for secret in [&id, &secret] {
            assert!(!log.contains(secret) && !events.contains(secret), "a key is in the output");
        }
    }
}
