//! The commands of `docs/point-in-time.md`, run against a separate cluster that is destroyed and restored to an
//! earlier point in time.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use test_support::skip;

use crate::{
    acknowledged_writes::Call,
    backup::{Place, block_on},
    postgres::{as_user, programs, run, unprivileged},
    process::BINARY,
};

const PAGE: &str = include_str!("../../../../docs/point-in-time.md");

/// The commands below a heading of the page, in order.
fn commands(heading: &str) -> String {
    let section = PAGE.split("\n## ").find(|section| section.lines().next() == Some(heading));
    let mut commands = String::new();
    let mut fence: Option<usize> = None;
    for line in section.unwrap_or_else(|| panic!("no section {heading}")).lines() {
        let text = line.trim_start();
        match fence {
            None if text == "```sh" => fence = Some(line.len() - text.len()),
            Some(_) if text == "```" => fence = None,
            // Code blocks in lists are indented.
            Some(indent) => commands.push_str(&format!("{}\n", line.get(indent..).unwrap_or_default())),
            None => (),
        }
    }
    assert!(!commands.is_empty(), "no command below {heading}");
    commands
}

/// A separate cluster, as the page expects.
struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Immediate shutdown without a checkpoint; the folder is deleted.
        let _ = self
            .command(&self.programs.join("pg_ctl"))
            .args(["stop", "--mode=immediate", "--silent"])
            .status();
    }
}

impl Cluster {
    /// `None`, counted as a skip, where PostgreSQL is not installed.
    fn start() -> Option<Cluster> {
        let Some(programs) = programs() else {
            skip("PostgreSQL 15 or newer is not installed");
            return None;
        };
        let folder = TempDir::new().expect("a folder");
        if let Some(user) = unprivileged() {
            run(Command::new("chown").arg(user).arg(folder.path()));
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let cluster = Cluster { folder, programs, port };
        run(cluster.command(&cluster.programs.join("initdb")).args([
            "--username=tests",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--data-checksums",
        ]));
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\ntimezone = 'Asia/Kolkata'\n"
        );
        let file = cluster.data().join("postgresql.conf");
        let text = fs::read_to_string(&file).expect("settings") + &settings;
        fs::write(&file, text).expect("written");
        run(cluster
            .command(&cluster.programs.join("pg_ctl"))
            .args(["start", "--wait", "--silent"])
            .arg("--log")
            .arg(cluster.log()));
        Some(cluster)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("data.log")
    }

    fn url(&self) -> String {
        format!("postgres://tests@127.0.0.1:{}/postgres", self.port)
    }

    /// A program that runs as the user of the cluster, with the variables of the page and the connection settings of
    /// psql.
    fn command(&self, program: &Path) -> Command {
        // The server must outlive the process that starts it.
        let mut command = as_user(program, false);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", self.programs.display()))
            .env("LC_ALL", "C")
            .env("PGDATA", self.data())
            .env("ARCHIVE", self.folder.path().join("the archive"))
            .env("BASES", self.folder.path().join("base"))
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "tests")
            .stdin(Stdio::null());
        command
    }

    /// Runs the commands below a heading; returns whether all succeeded, and their output.
    fn run_section(&self, heading: &str, moment: &str) -> (bool, String) {
        let script = self.folder.path().join("commands");
        fs::write(&script, format!("{}{}", commands("Variables"), commands(heading))).expect("written");
        let said = self.folder.path().join("said");
        // A file instead of a pipe: the started server keeps it open.
        let output = fs::File::create(&said).expect("a file");
        let status = self
            .command(Path::new("bash"))
            .arg("-eu")
            .arg(&script)
            .env("MOMENT", moment)
            .stdout(output.try_clone().expect("a file"))
            .stderr(output)
            .status()
            .expect("it runs");
        (status.success(), fs::read_to_string(&said).expect("the output"))
    }

    fn run_ok(&self, heading: &str, moment: &str) -> String {
        let (good, said) = self.run_section(heading, moment);
        let log = || fs::read_to_string(self.log()).unwrap_or_default();
        assert!(good, "{heading}: {said}\n{}", log());
        eprintln!("{heading}: {said}");
        said
    }

    /// The current time of the server, as a recovery target. Names of base backups have a resolution of one second, so
    /// this waits for a later second.
    fn now(&self) -> String {
        let newest = fs::read_dir(self.folder.path().join("base")).expect("base backups").flatten();
        let newest = newest.map(|base| base.file_name().to_string_lossy().into_owned()).max();
        let (mut now, mut second) = (String::new(), String::new());
        crate::acknowledged_writes::wait_for("a later second", || {
            (now, second) = block_on(async {
                let mut database = PgConnection::connect(&self.url()).await.expect("the server");
                let now = "with it as (select clock_timestamp() at time zone 'UTC' as now) \
                           select to_char(now, 'YYYY-MM-DD HH24:MI:SS.US') || '+00', \
                           to_char(now, 'YYYYMMDD\"T\"HH24MISS\"Z\"') from it";
                sqlx::query_as(now).fetch_one(&mut database).await.expect("a time")
            });
            newest.as_ref().is_none_or(|newest| *newest < second)
        });
        now
    }

    /// Simulates a power failure.
    fn kill(&self) {
        let pid = fs::read_to_string(self.data().join("postmaster.pid")).expect("a process");
        let pid = pid.lines().next().expect("a process").to_owned();
        // The child processes of a killed postmaster notice its end and exit.
        run(Command::new("kill").args(["-KILL", &pid]));
        let children = || {
            let output = Command::new("pgrep").args(["-f", &self.data().display().to_string()]).output();
            output.is_ok_and(|output| !output.stdout.is_empty())
        };
        crate::acknowledged_writes::wait_for("the end of the cluster", || {
            !Path::new(&format!("/proc/{pid}")).exists() && !children()
        });
    }
}

/// Writes through a server and returns the acknowledged texts.
fn write(place: &Place, token: &str, project: &mut Option<String>, name: &str) -> Vec<String> {
    let server = place.serve(&[]);
    let post = |path: &str, body: &Value| {
        let answer = Call::post(path, body).send(&server.address, token).expect("an answer");
        assert_eq!(answer.status, 201, "{}", answer.json);
        answer.json
    };
    let project = project.get_or_insert_with(|| {
        let made = post("/api/v1/projects", &json!({"name": "Ledger"}));
        made["id"].as_str().expect("an id").to_owned()
    });
    let path = format!("/api/v1/projects/{project}/requirements");
    let texts: Vec<String> = (0..30).map(|number| format!("wish {name} {number}.")).collect();
    for text in &texts {
        post(&path, &json!({"text": text}));
    }
    server.signal("-TERM");
    server.wait();
    texts
}

/// The number of these texts that exist.
fn count(place: &Place, texts: &[String]) -> usize {
    let lines = place.dump().concat();
    texts.iter().filter(|text| lines.contains(&format!("\"{text}\""))).count()
}

#[test]
fn point_in_time_guide_restores_any_moment() {
    let Some(cluster) = Cluster::start() else { return };
    let place = Place::new(&[
        ("DATABASE_URL", &cluster.url()),
        ("SECRET_KEY", "a secret key that has more than 32 letters"),
        ("BACKUPS", "backups"),
    ]);
    let token = place.token();
    let mut project = None;

    cluster.run_ok("Enable archiving", "");
    let first = write(&place, &token, &mut project, "before the base backup");
    cluster.run_ok("Create a base backup", "");
    let second = write(&place, &token, &mut project, "after the base backup");
    let moment = cluster.now();
    let third = write(&place, &token, &mut project, "after the moment");
    let kept = cluster.run_ok("Check the archive", "");
    assert!(kept.contains("failed_count       | 0"), "{kept}");

    // The machine is lost: only the archive and the base backup remain.
    cluster.kill();
    fs::remove_dir_all(cluster.data()).expect("gone");

    // An incomplete base backup is refused.
    let base = fs::read_dir(cluster.folder.path().join("base")).expect("base backups");
    let base = base.flatten().next().expect("a base backup").path();
    let file = base.join("global/pg_control");
    let whole = fs::read(&file).expect("a file");
    let mut changed = whole.clone();
    changed[100] ^= 1;
    fs::write(&file, &changed).expect("written");
    let (good, said) = cluster.run_section("Recover", &moment);
    assert!(!good && said.contains("pg_control"), "{said}");
    assert!(!cluster.data().exists(), "the restore has not started");
    fs::write(&file, &whole).expect("as it was");
    // A target before the first base backup, and one after the end of the archive.
    let (good, _) = cluster.run_section("Recover", "2020-01-01 00:00:00+00");
    assert!(!good && !cluster.data().exists());
    let (good, _) = cluster.run_section("Recover", "2099-01-01 00:00:00+00");
    let log = fs::read_to_string(cluster.log()).expect("a log");
    assert!(!good && log.contains("recovery ended before configured recovery target was reached"), "{log}");

    let said = cluster.run_ok("Recover", &moment);
    assert!(said.contains("The last change is of"), "{said}");
    assert_eq!((count(&place, &first), count(&place, &second)), (30, 30), "all writes before the target");
    assert_eq!(count(&place, &third), 0, "no writes after the target");
    run_last_section(&place);
    let fourth = write(&place, &token, &mut project, "on the new line of time");

    // Restore again, from a base backup on the new timeline, after a regular shutdown: no data is lost.
    cluster.run_ok("Create a base backup", "");
    let fifth = write(&place, &token, &mut project, "last");
    let moment = cluster.now();
    // Recovery must pass the target; an idle cluster writes nothing after it.
    let sixth = write(&place, &token, &mut project, "too late");
    cluster.run_ok("Recover", &moment);
    for (texts, there) in [(&first, 30), (&second, 30), (&third, 0), (&fourth, 30), (&fifth, 30), (&sixth, 0)]
    {
        assert_eq!(count(&place, texts), there, "{}", texts[0]);
    }
    run_last_section(&place);

    // Restore again after a power failure with a readable disk: WAL that was not archived is restored too.
    let seventh = write(&place, &token, &mut project, "before the power went");
    let moment = cluster.now();
    write(&place, &token, &mut project, "as it went");
    cluster.kill();
    cluster.run_ok("Recover", &moment);
    assert_eq!((count(&place, &fifth), count(&place, &seventh)), (30, 30));

    // Two base backups are kept, and the WAL that the older one needs.
    cluster.run_ok("Create a base backup", "");
    let archived = || fs::read_dir(cluster.folder.path().join("the archive")).expect("the archive").count();
    let before = archived();
    cluster.run_ok("Delete old base backups", "");
    assert!(archived() < before, "nothing was deleted from the archive");
    assert_eq!(fs::read_dir(cluster.folder.path().join("base")).expect("base backups").count(), 2);
    cluster.run_ok("Recover", &cluster.passed_moment(&place, &token, &mut project));
    assert_eq!((count(&place, &first), count(&place, &seventh)), (30, 30));
}

impl Cluster {
    /// A point in time that is followed by a write.
    fn passed_moment(&self, place: &Place, token: &str, project: &mut Option<String>) -> String {
        let now = self.now();
        write(place, token, project, "afterwards");
        now
    }
}

/// Runs the last section as the user of BA Copilot, then checks that a server starts on the restored data.
fn run_last_section(place: &Place) {
    let folder = Path::new(BINARY).parent().expect("a folder").display().to_string();
    let output = place.shell(&commands("Verify the recovery"), &folder);
    assert!(output.out.contains("Good: "), "{} {} {}", output.code, output.out, output.err);
    assert!(!output.out.contains("PROBLEM"), "{}", output.out);
    let server = place.serve(&[]);
    assert_eq!(server.request("GET", "/readyz", "").expect("an answer").0, 200);
}
