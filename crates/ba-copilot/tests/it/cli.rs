//! The command line: the real program, its output and its exit codes.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::BINARY;

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run_in(folder: &Path, arguments: &[&str], input: &[u8], variables: &[(&str, &str)]) -> Ran {
    let mut child = Command::new(BINARY)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("an input");
    let input = input.to_owned();
    // A program that exits without reading its input is not a failure.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("an end");
    writer.join().expect("the writer");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code().expect("a code"), out: text(output.stdout), err: text(output.stderr) }
}

fn run(arguments: &[&str], input: &str) -> Ran {
    let folder = TempDir::new().expect("a folder");
    run_in(folder.path(), arguments, input.as_bytes(), &[])
}

#[test]
fn draft_writes_a_diagram_that_check_accepts() {
    for kind in ["class", "usecase", "activity"] {
        let drafted = run(
            &["draft", "--kind", kind],
            "As a member, I want to borrow a book so that I can read it. The clerk checks the card. \
             If the card is valid, the clerk lends the book, otherwise the clerk refuses.",
        );
        assert_eq!(drafted.code, 0, "{}", drafted.err);
        let checked = run(&["check", "-"], &drafted.out);
        assert_eq!((checked.code, checked.out.as_str()), (0, ""), "{}\n{}", drafted.out, checked.err);
    }
}

#[test]
fn batch_answers_line_by_line() {
    let lines = format!(
        "{}\n\n{}\n",
        json!({"id": 1, "text": "A customer places orders."}),
        json!({"id": "b", "text": " "})
    );
    let drafted = run(&["draft", "--kind", "class", "--batch", "--format", "jsonl"], &lines);
    let rows: Vec<Value> =
        drafted.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((rows.len(), drafted.code), (2, 1), "{}", drafted.err);
    assert_eq!((&rows[0]["id"], &rows[0]["validated"]), (&json!(1), &json!(true)));
    assert!(rows[0]["model"]["classes"].as_array().is_some_and(|classes| !classes.is_empty()));
    assert_eq!(rows[1]["error"]["code"], "invalid_input");
    let lines = format!(
        "{}\n{}\n",
        json!({"id": 1, "code": "pie\n  \"a\" : 1"}),
        json!({"id": 2, "code": "flowchart LR\n  a[b(c)]"})
    );
    let checked = run(&["check", "--batch", "--format", "jsonl"], &lines);
    let rows: Vec<Value> =
        checked.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(
        (&rows[0]["valid"], &rows[0]["kind"], &rows[1]["valid"]),
        (&json!(true), &json!("pie"), &json!(false))
    );
    let repaired = run(&["repair", "--batch", "--format", "jsonl"], &lines);
    let rows: Vec<Value> =
        repaired.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(
        (&rows[0]["class"], &rows[1]["class"], &rows[1]["valid"]),
        (&json!("none"), &json!("safe"), &json!(true)),
        "{rows:?}"
    );
}

#[test]
fn check_reads_folders_and_markdown_and_writes_four_formats() {
    let folder = TempDir::new().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("good.mmd", "flowchart LR\n  a --> b\n");
    write(
        "notes.md",
        "# Notes\n\n```mermaid\nflowchart LR\n  a[run()] --> b\n```\n\n```python\nprint()\n```\n",
    );
    write("ignored.txt", "flowchart LR\n  a[[[");
    let at = |format: &str| run_in(folder.path(), &["check", ".", "--format", format], b"", &[]);
    let text = at("text");
    assert_eq!(text.code, 1);
    assert!(text.out.starts_with("./notes.md:5:"), "{}", text.out);
    assert!(text.err.contains("2 checked, 1 invalid"), "{}", text.err);
    let json: Value = serde_json::from_str(&at("json").out).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(2));
    let sarif: Value = serde_json::from_str(&at("sarif").out).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"], 5);
    assert!(at("github").out.starts_with("::error file=./notes.md,line=5,"), "{}", at("github").out);
    // `--diff` changes nothing, `--fix` changes the files.
    let before = std::fs::read_to_string(folder.path().join("notes.md")).expect("text");
    let shown = run_in(folder.path(), &["check", ".", "--fix", "--diff"], b"", &[]);
    assert!(shown.out.contains("+  a[\"run()\"] --> b"), "{}", shown.out);
    assert_eq!(std::fs::read_to_string(folder.path().join("notes.md")).expect("text"), before);
    let fixed = run_in(folder.path(), &["check", ".", "--fix"], b"", &[]);
    assert_eq!(fixed.code, 0, "{}{}", fixed.out, fixed.err);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("notes.md")).expect("text"),
        before.replace("a[run()]", "a[\"run()\"]")
    );
    // What can be repaired is written, and what is left is listed.
    write("partly.mmd", "flowchart LR\n  a[run()] --> b\n  b --> ]]]((\n");
    let partly = run_in(folder.path(), &["check", "partly.mmd", "--fix"], b"", &[]);
    assert!(partly.code == 1 && partly.out.starts_with("partly.mmd:3:"), "{}{}", partly.out, partly.err);
    let written = std::fs::read_to_string(folder.path().join("partly.mmd")).expect("text");
    assert_eq!(written, "flowchart LR\n  a[\"run()\"] --> b\n  b --> ]]]((\n");
    // Mermaid accepts it, and no one can draw it.
    write("cycle.mmd", "flowchart LR\n  subgraph s\n    subgraph t\n      s --> a\n    end\n  end\n");
    let cycle = run_in(folder.path(), &["check", "cycle.mmd"], b"", &[]);
    assert!(cycle.code == 1 && cycle.out.contains("error FLOW018"), "{}{}", cycle.out, cycle.err);
}

#[test]
fn repair_and_render_and_explain_and_kinds() {
    let repaired = run(&["repair", "-"], "```mermaid\nflowchart LR\n  a[b(c)]\n```");
    assert_eq!(repaired.code, 0, "{}", repaired.err);
    assert!(repaired.out.contains("a[\"b(c)\"]"), "{}", repaired.out);
    let hopeless = run(&["repair", "-"], "flowchart LR\n  a --> --> ]]\n");
    assert_eq!(hopeless.code, 1);
    let folder = TempDir::new().expect("a folder");
    for (name, begins) in [("out.svg", &b"<svg"[..]), ("out.png", &b"\x89PNG"[..])] {
        let drawn = run_in(folder.path(), &["render", "-", "-o", name], b"pie\n  \"a\" : 1", &[]);
        assert_eq!(drawn.code, 0, "{}", drawn.err);
        assert!(std::fs::read(folder.path().join(name)).expect("a picture").starts_with(begins));
    }
    for rule in application::reference_docs::RULES.iter() {
        let explained = run(&["explain", rule.code], "");
        assert!(explained.code == 0 && explained.out.contains(rule.name), "{}", rule.code);
    }
    let kinds = run(&["kinds"], "");
    for kind in mermend::kinds::KINDS {
        assert!(kinds.out.contains(kind.name), "{}", kind.name);
    }
}

#[test]
fn command_that_cannot_run_explains_and_exits_with_2() {
    let cases: [(&[&str], &[u8], &[(&str, &str)], &str); 14] = [
        (&["check", "no-such-file.mmd"], b"", &[], "no-such-file.mmd cannot be used"),
        (&["check", "-", "--target", "github"], b"pie", &[], "`target` is not supported"),
        (&["check", "-"], b"flowchart \xff\xfe", &[], "is not UTF-8 text: byte 10 is not valid"),
        (&["draft", "--kind", "poem"], b"x", &[], "Unknown diagram kind `poem`"),
        (&["draft", "--provider", "oracle"], b"A customer.", &[], "There is no provider `oracle`"),
        (&["draft"], b"  ", &[], "There are no requirements"),
        (&["draft", "--batch"], b"{\"id\":1}\n", &[], "Line 1 of standard input"),
        (&["render", "-", "-o", "x.gif"], b"pie", &[], "`gif` is not a picture format"),
        (&["render", "-", "-o", "x.svg"], b"nonsense", &[], "cannot be drawn"),
        (&["--listen", "127.0.0.1:0", "kinds"], b"", &[], "belong to `serve`"),
        (&["explain", "XYZ999"], b"", &[], "Unknown rule `XYZ999`"),
        (&["kinds"], b"", &[("BA_COPILOT__SERVER__LISTN", "x")], "Did you mean `server.listen`"),
        (&["kinds"], b"", &[("BA_COPILOT__CHECK__TIME_S", "soon")], "must set a whole number"),
        (&["kinds", "--config", "none.toml"], b"", &[], "none.toml cannot be read"),
    ];
    for (arguments, input, variables, expected) in cases {
        let folder = TempDir::new().expect("a folder");
        let ran = run_in(folder.path(), arguments, input, variables);
        println!("{arguments:?}: {}", ran.err);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(expected), "{arguments:?}: {}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn secrets_are_read_from_files_and_never_shown() {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("key"), "sk-canary-file\n").expect("written");
    std::fs::write(folder.path().join("bad.toml"), "[providers]\nopenai_api_key = 7\n").expect("written");
    let ran = run_in(
        folder.path(),
        &["--config", "bad.toml", "kinds"],
        b"",
        &[("OPENROUTER", "x"), ("OPEN_ROUTER_API_KEY_FILE", "key")],
    );
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("providers.openai_api_key") && !ran.err.contains("canary"), "{}", ran.err);
}

#[test]
fn migrate_reports_its_plan_and_applies_it() {
    let folder = TempDir::new().expect("a folder");
    let migrate = |arguments: &[&str]| run_in(folder.path(), &[&["migrate"], arguments].concat(), b"", &[]);
    let before = migrate(&["--dry-run"]);
    assert_eq!(before.code, 1);
    assert!(before.out.starts_with("would apply 0001_"), "{}", before.out);
    assert!(!folder.path().join("data").exists(), "a dry run creates nothing");
    let done = migrate(&[]);
    assert_eq!((done.code, done.out.replace("applied", "would apply")), (0, before.out));
    for arguments in [&["--dry-run"][..], &[]] {
        let again = migrate(arguments);
        assert_eq!((again.code, again.out.as_str()), (0, "The database is up to date.\n"));
    }
}

#[test]
fn users_and_tokens_are_created_from_the_command_line() {
    let folder = TempDir::new().expect("a folder");
    let call = |arguments: &[&str], input: &str| run_in(folder.path(), arguments, input.as_bytes(), &[]);
    let link = call(&["user", "setup-link"], "");
    assert!(link.out.contains("http://127.0.0.1:8000/set-up?code="), "{}{}", link.out, link.err);
    let added =
        call(&["user", "add", "Ada@Example.com", "--password-stdin"], "correct horse battery staple\n");
    assert_eq!((added.code, added.out.as_str()), (0, "Added ada@example.com.\n"), "{}", added.err);
    let taken = call(&["user", "add", "ada@example.com"], "");
    assert_eq!(taken.code, 2);
    assert!(taken.err.contains("this e-mail address already exists"), "{}", taken.err);
    let grace = call(&["user", "add", "grace@example.com", "--name", "Grace"], "");
    assert!(grace.out.contains("/reset-password?code="), "{}", grace.out);
    let listed = call(&["user", "list"], "").out;
    assert!(
        listed.contains("\tada@example.com\tAda\tadmin\n") && listed.contains("\tgrace@example.com\tGrace\n"),
        "{listed}"
    );
    assert_eq!(call(&["user", "disable", "grace@example.com"], "").code, 0);
    assert!(call(&["user", "list"], "").out.contains("Grace\tdisabled"));
    let bad = call(&["user", "add", "nobody"], "");
    assert!(bad.code == 2 && bad.err.contains("ada@example.com"), "{}", bad.err);
    let short = call(&["user", "add", "x@example.com", "--password-stdin"], "short\n");
    assert!(short.code == 2 && short.err.contains("12 to 256"), "{}", short.err);

    let token = call(
        &["token", "create", "--user", "ada@example.com", "--name", "ci", "--scope", "read,generate"],
        "",
    );
    assert!(token.out.starts_with("bac_"), "{}{}", token.out, token.err);
    let listed = call(&["token", "list", "--user", "ada@example.com"], "").out;
    let id = listed.split('\t').next().unwrap_or_default().to_owned();
    assert!(listed.ends_with("\tci\tread generate\n") && !listed.contains(token.out.trim()), "{listed}");
    assert_eq!(call(&["token", "revoke", "--user", "ada@example.com", &id], "").code, 0);
    assert!(call(&["token", "list", "--user", "ada@example.com"], "").out.contains("ended"));
    let unknown =
        call(&["token", "create", "--user", "ada@example.com", "--name", "ci", "--scope", "root"], "");
    assert!(
        unknown.code == 2 && unknown.err.contains("read, write, generate, mcp, account"),
        "{}",
        unknown.err
    );
}

#[test]
fn transfer_copies_everything_into_another_database() {
    let folder = TempDir::new().expect("a folder");
    let call = |arguments: &[&str]| run_in(folder.path(), arguments, b"", &[]);
    assert_eq!(call(&["user", "add", "ada@example.com"]).code, 0);
    let moved = call(&["db", "move", "sqlite:data/ba-copilot.db", "sqlite:other/new.db"]);
    assert_eq!(moved.code, 0, "{}", moved.err);
    assert!(moved.out.contains("        1  users\n") && moved.out.contains("DATABASE_URL"), "{}", moved.out);
    let users = run_in(folder.path(), &["user", "list"], b"", &[("DATABASE_URL", "sqlite:other/new.db")]);
    assert!(users.out.contains("ada@example.com"), "{}{}", users.out, users.err);
    let again = call(&["db", "move", "sqlite:data/ba-copilot.db", "sqlite:other/new.db"]);
    assert!(again.code == 2 && again.err.contains("not empty"), "{}", again.err);
}
