//! Settings: `config check`, `config show`, `secrets generate`, and the example of a production environment.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path};

use config::{Config, DEFAULT_TOML, Environment, SECRETS, variables};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::{Ran, run_in};

fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    run_in(folder, arguments, b"", variables)
}

#[test]
fn config_check_reports_all_problems_at_once() {
    let folder = TempDir::new().expect("a folder");
    let good = run(folder.path(), &["config", "check"], &[]);
    assert_eq!((good.code, good.out.as_str(), good.err.as_str()), (0, "The settings are valid.\n", ""));
    fs::write(
        folder.path().join("ba.toml"),
        "[server]\nproxy = 1\nproxies = \"one\"\n\n[log]\nformat = \"xml\"\n[jobs]\nat_once = 100\n",
    )
    .expect("written");
    fs::write(folder.path().join(".env"), "BA_COPILOT__WEBHOOKS__TIMEOUT_S=soon\n").expect("written");
    let bad = run(
        folder.path(),
        &["--config", "ba.toml", "config", "check"],
        &[
            ("PUBLIC_URL", "geheim"),
            ("MAIL_FROM", "geheim"),
            ("SMTP_URL", "smtp://u:geheim@"),
            ("REDIS_URL", "http://u:geheim@host"),
            ("SECRET_KEY", "geheim"),
            ("MCP_TOKEN_FILE", "no-such-file"),
            ("BA_COPILOT__SERVER__LISTENS", "geheim"),
        ],
    );
    assert_eq!(bad.code, 1, "{}", bad.err);
    for expected in [
        "ba.toml:2 sets `server.proxy`, which is not a setting. Did you mean `server.proxies`?",
        "The setting `server.proxies` is not valid: ba.toml:3 must set a whole number.",
        "The setting `log.format` is not valid: unknown variant `xml`",
        "Source: ba.toml:6.",
        "The setting `jobs.at_once` is not valid: it must be 1 to 64. Source: ba.toml:8.",
        "`webhooks.timeout_s` is not valid: BA_COPILOT__WEBHOOKS__TIMEOUT_S in ",
        "/.env:1 must set a whole number",
        "The setting `server.public_url` is not valid: ",
        "The setting mail.from is invalid",
        "The setting `redis.url` is not valid: ",
        "The setting `mail.smtp_url` is not valid: ",
        "The setting `secrets.secret_key` is not valid: a key has 6 characters; at least 32 are required. \
         Source: variable SECRET_KEY.",
        "no-such-file (named by MCP_TOKEN_FILE) cannot be read: ",
        "BA_COPILOT__SERVER__LISTENS sets `server.listens`, which is not a setting. Did you mean `server.listen`?",
    ] {
        assert!(bad.out.contains(expected), "{expected}\n{}", bad.out);
    }
    assert_eq!(bad.out.lines().count(), 12, "{}", bad.out);
    assert!(!bad.out.contains("geheim") && !bad.err.contains("geheim"), "{}{}", bad.out, bad.err);
    // The server reports only the first problem.
    let served = run(folder.path(), &["--config", "ba.toml", "kinds"], &[]);
    assert_eq!(served.code, 2);
    assert!(served.err.contains("ba.toml:"), "{}", served.err);
    fs::write(folder.path().join("ba.toml"), "[server]\n\nlisten = \n").expect("written");
    let broken = run(folder.path(), &["--config", "ba.toml", "config", "check"], &[]);
    assert!(broken.out.contains("ba.toml:3 is not valid TOML: "), "{}", broken.out);
}

#[test]
fn config_show_reports_sources_and_no_secret() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("ba.toml"), "# Ours\n[jobs]\nat_once = 2\n[mcp]\ntoken = \"geheim-1\"\n")
        .expect("written");
    fs::write(folder.path().join(".env"), "MODEL=m\nMCP_TIMEOUT=7\n").expect("written");
    fs::write(folder.path().join("key"), "geheim-geheim-geheim-geheim-geheim-geheim\n").expect("written");
    let arguments = ["--config", "ba.toml", "config", "show", "--data", "/srv/ba", "--json"];
    let variables = [
        ("MCP_TIMEOUT", "9"),
        ("SECRET_KEY_FILE", "key"),
        ("DATABASE_URL", "postgres://ada:geheim@db:5432/ba"),
        ("BA_COPILOT__MCP__PUBLIC_URL", "https://u:geheim@mcp.example.com/mcp?key=geheim"),
        ("BA_COPILOT__OIDC__SIGN_UP", "true"),
    ];
    let shown = run(folder.path(), &arguments, &variables);
    assert_eq!(shown.code, 0);
    // `MCP_TIMEOUT` of the process has priority.
    assert!(shown.err.ends_with("/.env: MODEL.\n") && shown.err.lines().count() == 1, "{}", shown.err);
    assert!(!shown.out.contains("geheim"), "{}", shown.out);
    let shown: Value = serde_json::from_str(&shown.out).expect("JSON");
    let env = fs::canonicalize(folder.path().join(".env")).expect("a path").display().to_string();
    let table = [
        ("server.proxies", json!(0), false, json!({"kind": "default"})),
        ("data.dir", json!("/srv/ba"), false, json!({"kind": "flag", "name": "--data"})),
        (
            "data.database_url",
            json!("postgres://[user and password set (6 characters)]@db:5432/ba"),
            true,
            json!({"kind": "variable", "name": "DATABASE_URL"}),
        ),
        (
            "oidc.sign_up",
            json!(true),
            false,
            json!({"kind": "variable", "name": "BA_COPILOT__OIDC__SIGN_UP"}),
        ),
        (
            "secrets.secret_key",
            json!("set (41 characters)"),
            true,
            json!({"kind": "variable", "name": "SECRET_KEY_FILE"}),
        ),
        ("redis.url", json!("empty"), true, json!({"kind": "default"})),
        ("jobs.at_once", json!(2), false, json!({"kind": "file", "name": "ba.toml", "line": 3})),
        ("mcp.timeout_s", json!(9), false, json!({"kind": "variable", "name": "MCP_TIMEOUT"})),
        (
            "mcp.token",
            json!("set (8 characters)"),
            true,
            json!({"kind": "file", "name": "ba.toml", "line": 5}),
        ),
        (
            "mcp.public_url",
            json!("https://[user and password set (6 characters)]@mcp.example.com/mcp?[set (10 characters)]"),
            false,
            json!({"kind": "variable", "name": "BA_COPILOT__MCP__PUBLIC_URL"}),
        ),
        (
            "model.model",
            json!("m"),
            false,
            json!({"kind": "variable", "name": "MODEL", "file": env, "line": 1}),
        ),
    ];
    let settings = shown["settings"].as_array().expect("settings");
    let mut rows = settings.iter();
    // The settings are in the order of default.toml.
    for (key, value, secret, origin) in table {
        let row =
            rows.find(|row| row["key"] == key).unwrap_or_else(|| panic!("{key} is not in this position"));
        assert_eq!((&row["value"], &row["secret"]), (&value, &json!(secret)), "{key}");
        assert_eq!(row["origin"], origin, "{key}");
    }
    let text = run(folder.path(), &["--config", "ba.toml", "config", "show"], &variables);
    assert_eq!(text.out.lines().count(), settings.len());
    assert!(!text.out.contains("geheim"), "{}", text.out);
    let line = text.out.lines().find(|line| line.starts_with("jobs.at_once ")).expect("a line");
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["jobs.at_once", "2", "ba.toml:3"]);
}

#[test]
fn generated_secrets_never_overwrite_existing_ones() {
    let folder = TempDir::new().expect("a folder");
    let printed = run(folder.path(), &["secrets", "generate"], &[]);
    let written = run(folder.path(), &["secrets", "generate", "--write", "secrets.env"], &[]);
    assert_eq!((written.code, written.out.as_str(), written.err.as_str()), (0, "", ""));
    let file = folder.path().join("secrets.env");
    let text = fs::read_to_string(&file).expect("text");
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    let mut all = BTreeSet::new();
    for lines in [&printed.out, &text] {
        let names: Vec<&str> =
            lines.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        let wanted = "SECRET_KEY MCP_TOKEN AI_SERVICE_TOKEN POSTGRES_PASSWORD REDIS_PASSWORD \
                      GRAFANA_PASSWORD BACKUP_PASSPHRASE";
        assert_eq!(names.join(" "), wanted);
        for (_, secret) in lines.lines().filter_map(|line| line.split_once('=')) {
            assert!(
                secret.len() == 43 && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            );
            all.insert(secret.to_owned());
        }
    }
    assert_eq!(all.len(), 14, "the secrets are distinct");
    let again = run(folder.path(), &["secrets", "generate", "--write", "secrets.env"], &[]);
    assert_eq!((again.code, again.out.as_str()), (2, ""));
    assert!(again.err.contains("already exists and was not changed"), "{}", again.err);
    assert_eq!(fs::read_to_string(&file).expect("text"), text);
}

/// Variables that only Compose reads.
const OF_COMPOSE: [&str; 3] = ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "GRAFANA_PASSWORD"];

#[test]
fn production_environment_example_is_complete_and_works() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.env.production.example");
    let text = fs::read_to_string(path).expect("the example");
    let mut set = BTreeSet::new();
    let mut explained = false;
    for line in text.lines() {
        // Optional variables are commented out with `#` without a space.
        let offered =
            line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
        match offered.unwrap_or(line).split_once('=') {
            Some((name, _)) if !line.starts_with("# ") => {
                assert!(explained, "{name} is not documented");
                assert!(set.insert(name.to_owned()), "{name} is listed twice");
            }
            _ => explained = line.starts_with("# ") || explained && !line.is_empty(),
        }
    }
    let setting_of = |name: &str| {
        let known =
            variables().iter().find(|(variable, _)| *variable == name).map(|(_, key)| (*key).to_owned());
        let generic = || Some(name.strip_prefix("BA_COPILOT__")?.to_lowercase().replace("__", "."));
        known.or_else(generic)
    };
    let settings: BTreeSet<String> = Config::inspect(None, &Environment::default(), &[])
        .settings
        .into_iter()
        .map(|setting| setting.key)
        .collect();
    let mut named = BTreeSet::new();
    for name in set.iter().filter(|name| !OF_COMPOSE.contains(&name.as_str())) {
        let key = setting_of(name).unwrap_or_else(|| panic!("{name} is not a variable"));
        assert!(settings.contains(&key), "{name} is not a setting");
        named.insert(key);
    }
    // Every provider has a key; the example lists the most common ones.
    let is_of_provider = |key: &str| key.starts_with("providers.");
    for key in SECRETS.iter().filter(|key| !is_of_provider(key)) {
        assert!(named.contains(*key), "the secret setting {key} is not in the example");
    }
    for (name, key) in variables() {
        assert!(is_of_provider(key) || named.contains(*key), "{name} is not in the example");
        // A variable with a short name is in the documentation of its setting.
        assert!(DEFAULT_TOML.contains(*name), "{name} is not in default.toml");
    }
    // With secrets filled in, the example is a valid configuration, also for `deploy`.
    let mut filled = text;
    for name in ["SECRET_KEY", "MCP_TOKEN", "POSTGRES_PASSWORD", "REDIS_PASSWORD"] {
        filled = filled.replace(&format!("\n{name}=\n"), &format!("\n{name}={}\n", "x".repeat(43)));
    }
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("production.env");
    fs::write(&file, filled).expect("written");
    let environment = Environment::from_file(&file).expect("variables");
    let inspection = Config::inspect(None, &environment, &[]);
    assert_eq!(inspection.problems, []);
}
