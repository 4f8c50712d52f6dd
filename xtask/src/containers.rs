//! A container engine for the tests, and the images that the files of Compose name.
//!
//! Nothing is pulled: the images consist of packages of this machine (PostgreSQL, Redis, Prometheus, Alertmanager)
//! and of Caddy, each with the libraries that its programs need, under the names of the public images, and start as
//! those do. The engine has folders and a socket of its own under `target/docker`; other containers of this machine
//! are not affected.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    postgres, root,
    tools::{self, which},
};

/// How long the engine may take to answer.
const START: Duration = Duration::from_secs(60);
/// How long it may take to stop, with its containers.
const END: Duration = Duration::from_secs(60);

/// Programs that containers need, besides those of PostgreSQL.
const PROGRAMS: [&str; 14] = [
    "sh",
    "id",
    "chown",
    "chmod",
    "mkdir",
    "cat",
    "grep",
    "wget",
    "setpriv",
    "prometheus",
    "prometheus-alertmanager",
    "redis-server",
    "redis-cli",
    "ls",
];
/// Names of public images, and how the image that replaces each begins.
const IMAGES: [(&str, &str); 5] = [
    (
        "caddy:2.11",
        "ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data\n\
         CMD [\"caddy\", \"run\", \"--config\", \"/etc/caddy/Caddyfile\", \"--adapter\", \"caddyfile\"]",
    ),
    (
        "postgres:17",
        "ENV PGDATA=/var/lib/postgresql/data\nVOLUME /var/lib/postgresql/data\nENTRYPOINT [\"postgres-entrypoint\"]",
    ),
    ("redis:7", "CMD [\"redis-server\"]"),
    ("prom/prometheus:v3.7.3", "CMD [\"prometheus\"]"),
    ("prom/alertmanager:v0.29.0", "CMD [\"alertmanager\"]"),
];
/// What the public image of PostgreSQL does when it starts, as far as it is needed.
const POSTGRES_ENTRYPOINT: &str = r#"#!/bin/sh
set -e
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /var/run/postgresql
  chown 999:999 "$PGDATA"; chmod 700 "$PGDATA"; chmod 3777 /var/run/postgresql
  exec setpriv --reuid=999 --regid=999 --clear-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  (umask 077; printf '%s' "$POSTGRES_PASSWORD" > /tmp/password)
  initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 --locale=C
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -c unix_socket_directories=/tmp" start
  PGPASSWORD="$POSTGRES_PASSWORD" psql -h /tmp -U "$POSTGRES_USER" -d postgres -c "create database \"$POSTGRES_DB\""
  pg_ctl -D "$PGDATA" -w -m fast stop
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
"#;

/// A running engine; stopped, with its containers, when dropped.
pub(crate) struct Engine {
    daemon: Child,
    folder: PathBuf,
    /// Where it listens.
    pub(crate) host: String,
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.daemon.id().to_string()]).status();
        let begun = Instant::now();
        while matches!(self.daemon.try_wait(), Ok(None)) {
            if begun.elapsed() > END {
                let _ = self.daemon.kill();
            }
            thread::sleep(Duration::from_millis(50));
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Starts an engine with the images in it.
///
/// # Errors
/// Why the engine did not start; the tests that need it are then skipped.
pub(crate) fn start() -> Result<Engine, String> {
    let folder = root().join("target/docker");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let log = fs::File::create(folder.join("log")).map_err(|error| error.to_string())?;
    let place = |name: &str| folder.join(name).display().to_string();
    let host = format!("unix://{}", place("socket"));
    let daemon = Command::new("dockerd")
        .args(["--data-root", &place("data"), "--exec-root", &place("run")])
        .args(["--pidfile", &place("pid"), "--host", &host, "--group", "root"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|error| format!("dockerd cannot be started: {error}"))?;
    let mut engine = Engine { daemon, folder, host };
    let begun = Instant::now();
    while engine.docker(&["version"], None).is_err() {
        if begun.elapsed() > START || !matches!(engine.daemon.try_wait(), Ok(None)) {
            let log = fs::read_to_string(engine.folder.join("log")).unwrap_or_default();
            let last = log.lines().last().unwrap_or("its log is empty").to_owned();
            return Err(format!("dockerd does not answer: {last}"));
        }
        thread::sleep(Duration::from_millis(100));
    }
    engine.make_images()?;
    Ok(engine)
}

impl Engine {
    /// Asks the engine for something.
    fn docker(&self, arguments: &[&str], input: Option<Stdio>) -> Result<String, String> {
        // The client that came with the engine, before any other that may be on the path.
        let client = Path::new("/usr/bin/docker");
        let client = if client.exists() { client } else { Path::new("docker") };
        let output = Command::new(client)
            .args(arguments)
            .env("DOCKER_HOST", &self.host)
            .stdin(input.unwrap_or_else(Stdio::null))
            .output()
            .map_err(|error| format!("docker: {error}"))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(format!(
                "docker {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }

    fn make_images(&self) -> Result<(), String> {
        let tree = self.folder.join("tree");
        make_root(&tree)?;
        let mut archive = Command::new("tar")
            .args(["--create", "--directory"])
            .arg(&tree)
            .arg(".")
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("tar: {error}"))?;
        let output = archive.stdout.take().map(Stdio::from);
        let path = "ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin";
        self.docker(&["import", "--change", path, "-", "packages"], output)?;
        archive.wait().map_err(|error| format!("tar: {error}"))?;
        let recipes = self.folder.join("recipes");
        fs::create_dir_all(&recipes).map_err(|error| error.to_string())?;
        for (image, begins) in IMAGES {
            let recipe = recipes.join("Dockerfile");
            fs::write(&recipe, format!("FROM packages\n{begins}\n")).map_err(|error| error.to_string())?;
            self.docker(&["build", "--quiet", "--tag", image, &recipes.display().to_string()], None)?;
        }
        fs::remove_dir_all(&tree).map_err(|error| error.to_string())
    }
}

/// A root folder with the programs and everything that they need.
fn make_root(tree: &Path) -> Result<(), String> {
    let describe = |what: &Path, error: std::io::Error| format!("{}: {error}", what.display());
    for folder in [
        "usr/bin",
        "usr/sbin",
        "usr/lib/x86_64-linux-gnu",
        "usr/lib64",
        "usr/local/bin",
        "usr/share",
        "etc",
        "tmp",
        "data",
        "config",
        "prometheus",
        "alertmanager",
        "var/run/postgresql",
        "var/lib/postgresql/data",
    ] {
        let folder = tree.join(folder);
        fs::create_dir_all(&folder).map_err(|error| describe(&folder, error))?;
    }
    for (name, to) in [("bin", "usr/bin"), ("sbin", "usr/sbin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")] {
        symlink(to, tree.join(name)).map_err(|error| describe(tree, error))?;
    }
    let postgres = postgres::programs().ok_or("there is no PostgreSQL")?;
    // What is on the path may be links to where they are.
    let initdb = fs::canonicalize(postgres.join("initdb")).map_err(|error| describe(&postgres, error))?;
    let postgres = initdb.parent().ok_or("PostgreSQL is not where it is expected")?.to_owned();
    let installed = postgres.parent().ok_or("PostgreSQL is not where it is expected")?;
    let version = installed.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut needed = BTreeSet::new();
    for name in PROGRAMS {
        let found = which(Path::new(name)).ok_or_else(|| format!("{name} is not installed"))?;
        needed.extend(libraries(&found));
        let to = if name == "prometheus-alertmanager" { "alertmanager" } else { name };
        copy(&found, &tree.join("usr/bin").join(to))?;
    }
    copy(&install_caddy()?, &tree.join("usr/bin/caddy"))?;
    let share = PathBuf::from("/usr/share/postgresql").join(&version);
    for folder in [installed, &share, Path::new("/usr/share/zoneinfo"), Path::new("/usr/share/prometheus")] {
        let to = tree.join(folder.strip_prefix("/").unwrap_or(folder));
        fs::create_dir_all(to.parent().unwrap_or(tree)).map_err(|error| describe(&to, error))?;
        // Links lead to places that are not in there.
        run(
            "cp",
            &["--recursive", "--dereference", &folder.display().to_string(), &to.display().to_string()],
        )?;
    }
    for folder in [postgres.clone(), installed.join("lib")] {
        for entry in fs::read_dir(&folder).map_err(|error| describe(&folder, error))?.flatten() {
            needed.extend(libraries(&entry.path()));
            if folder == postgres {
                let name = entry.file_name();
                symlink(entry.path(), tree.join("usr/bin").join(name))
                    .map_err(|error| describe(tree, error))?;
            }
        }
    }
    for library in needed {
        let to = tree.join(library.strip_prefix("/").unwrap_or(&library));
        fs::create_dir_all(to.parent().unwrap_or(tree)).map_err(|error| describe(&to, error))?;
        copy(&library, &to)?;
    }
    let users = "root:x:0:0::/:/bin/sh\npostgres:x:999:999::/:/bin/sh\nprogram:x:65532:65532::/:/bin/sh\n";
    let groups = "root:x:0:\npostgres:x:999:\nprogram:x:65532:\n";
    for (name, text) in [
        ("etc/passwd", users),
        ("etc/group", groups),
        ("usr/local/bin/postgres-entrypoint", POSTGRES_ENTRYPOINT),
    ] {
        fs::write(tree.join(name), text).map_err(|error| describe(&tree.join(name), error))?;
    }
    run("chmod", &["755", &tree.join("usr/local/bin/postgres-entrypoint").display().to_string()])?;
    run("chmod", &["1777", &tree.join("tmp").display().to_string()])
}

/// The proxy of the version that Compose names: Debian's is years older, and knows other settings.
fn install_caddy() -> Result<PathBuf, String> {
    let requirements = root().join("crates/ba-copilot/tests/caddy/requirements.txt");
    let pinned = [requirements.clone()];
    let folder =
        tools::installed("caddy", "Caddy (pip)", &pinned, |folder| tools::pip(&requirements, folder))?;
    Ok(folder.join("venv/bin/caddy"))
}

/// The libraries that a program is linked with, wherever they lie.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let Ok(output) = Command::new("ldd").arg(program).output() else { return Vec::new() };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = text.split_whitespace().filter(|word| word.starts_with('/'));
    words
        .map(|word| PathBuf::from(word.trim_end_matches(':')))
        .filter(|path| path.is_file() && path != program)
        .collect()
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(|_| ()).map_err(|error| format!("{}: {error}", from.display()))
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output =
        Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
