//! File permissions: every file that the real program creates is accessible to its owner only, whatever the umask is.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use crate::process::{BINARY, Server};

/// Runs the command with a umask of 0.
const UMASK_ZERO: [&str; 4] = ["sh", "-c", "umask 0; exec \"$0\" \"$@\"", BINARY];

fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = Command::new(UMASK_ZERO[0])
        .args(&UMASK_ZERO[1..])
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Every file and folder below, with the permissions of group and others.
fn everything(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        // SQLite removes its log when the last connection is closed.
        let Ok(data) = fs::symlink_metadata(entry.path()) else { continue };
        found.push((entry.path(), data.permissions().mode() & 0o777));
        if data.is_dir() {
            found.extend(everything(&entry.path()));
        }
    }
    found
}

/// Checks that no file in the folder is accessible to others, and that the expected files exist.
fn check(folder: &Path, expected: &[&str]) {
    let found = everything(folder);
    let open = found.iter().filter(|(_, mode)| mode & 0o077 != 0);
    let open: Vec<String> = open.map(|(path, mode)| format!("{mode:o} {}", path.display())).collect();
    assert!(open.is_empty(), "others can read {open:?}");
    for name in expected {
        let is_there = found.iter().any(|(path, _)| path.to_string_lossy().contains(name));
        assert!(is_there, "{name} is not among {found:?}");
    }
}

fn invite(server: &Server) {
    let body = json!({"email": "ada@example.com"}).to_string();
    let (status, answer) = server.request("POST", "/api/v1/password-resets", &body).expect("an answer");
    assert_eq!(status, 202, "{answer}");
}

#[test]
fn data_files_are_readable_by_their_owner_only() {
    let home = TempDir::new().expect("a folder");
    let data = home.path().join("data");
    let data_text = data.display().to_string();
    let sockets = home.path().join("sockets");
    let sockets_text = sockets.display().to_string();
    let passphrase = ("BACKUP_PASSPHRASE", "a passphrase of more than twenty characters");
    let configuration = home.path().join("ba.toml");
    fs::write(&configuration, "[log]\nlevel = \"info\"\n").expect("written");
    let with_data = |words: &[&str]| -> Vec<String> {
        words.iter().map(|word| word.replace("DATA", &data_text)).collect()
    };
    let run = |words: &[&str]| {
        let words = with_data(words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        run(home.path(), &words, &[passphrase])
    };
    run(&["user", "add", "ada@example.com", "--data", "DATA"]);
    // A mail folder created by an earlier version.
    fs::create_dir(data.join("mail")).expect("made");
    fs::set_permissions(data.join("mail"), fs::Permissions::from_mode(0o755)).expect("set");
    let variables = [
        ("BA_COPILOT__SERVER__HAND_OVER_DIR", sockets_text.as_str()),
        ("BA_COPILOT__BACKUP__EVERY_H", "1"),
        passphrase,
    ];
    let server = Server::start_by(&UMASK_ZERO, &["--listen", "127.0.0.1:0"], &data, &variables);
    invite(&server);
    // Wait until the message and the backup exist.
    let there = |name: &str| everything(&data).iter().any(|(path, _)| path.to_string_lossy().ends_with(name));
    while !(there(".eml") && there(".age")) {
        assert!(server.request("GET", "/health", "").is_ok(), "{}", server.logged());
        std::thread::yield_now();
    }
    check(&data, &["/ba-copilot.db", "/ba-copilot.db-wal", "/secret.key", "/mail/", ".eml", "/backups/"]);
    check(home.path().join("sockets").as_path(), &[]);
    let rights = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((rights(&data), rights(&sockets), rights(&data.join("mail"))), (0o700, 0o700, 0o700));
    server.signal("-TERM");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");

    // Output of commands: a backup in another folder, the restored data, and the previous data.
    let made = run(&["--config", "ba.toml", "backup", "create", "--data", "DATA", "--to", "copies"]);
    assert!(!made.is_empty());
    check(&home.path().join("copies"), &[".age"]);
    let backup = everything(&home.path().join("copies"));
    let backup =
        backup.iter().map(|(path, _)| path).find(|path| path.extension().is_some_and(|end| end == "age"));
    let backup = backup.expect("a backup").display().to_string();
    run(&["backup", "restore", &backup, "--data", "DATA"]);
    check(&data, &["/ba-copilot.db", "/secret.key", "/before-restore-", "/config-from-backup.toml"]);
    let written = run(&["secrets", "generate", "--write", "secrets.env"]);
    assert_eq!(rights(&home.path().join("secrets.env")), 0o600, "{written}");
}
