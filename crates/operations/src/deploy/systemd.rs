//! Slots as two instances of one unit, `ba-copilot@blue` and `ba-copilot@green` (`ops/systemd`).

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use tokio::time::sleep;

use super::{
    Came, Release, Slot,
    fleet::{cannot, write_secret},
    process,
};

/// What `systemctl` says when systemd has closed the connection before it answered.
const LOST: &str = "Transport endpoint is not connected";
/// How often it is asked again then, and after which pause.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

fn unit(slot: Slot) -> String {
    format!("ba-copilot@{slot}.service")
}

/// Asks systemd, which now and then loses a question on the way; nothing here does harm when it is asked again.
async fn systemctl(arguments: &[&str]) -> Came<String> {
    let ask = || process::run(process::command(Path::new("systemctl"), arguments, Path::new("/")));
    for _ in 0..TRIES {
        match ask().await {
            Err(why) if why.contains(LOST) => sleep(PAUSE).await,
            said => return said,
        }
    }
    ask().await
}

pub(super) async fn look() -> Came<String> {
    systemctl(&["cat", &unit(Slot::Blue)]).await.map_err(|why| {
        format!("The unit ba-copilot@.service is not there. Copy it from ops/systemd to /etc/systemd/system and run `systemctl daemon-reload`. {why}")
    })?;
    Ok("units of systemd".to_owned())
}

pub(super) async fn start(
    release: &Release,
    slot: Slot,
    folder: &Path,
    variables: &[(String, String)],
) -> Came<()> {
    let settings = folder.join("env");
    let text: String = variables.iter().map(|(name, value)| format!("{name}={}\n", quoted(value))).collect();
    write_secret(&settings, &text)?;
    let (current, next) = (folder.join("program"), folder.join("program.new"));
    let _ = fs::remove_file(&next);
    symlink(&release.program, &next)
        .and_then(|()| fs::rename(&next, &current))
        .map_err(|error| cannot(&current, &error))?;
    // Whether it is ready is asked of the program itself, and for as long as the settings say, not the unit.
    systemctl(&["restart", "--no-block", &unit(slot)]).await.map(|_| ())
}

/// As systemd reads files of variables: in double quotes, a backslash before what is special there.
fn quoted(value: &str) -> String {
    let mut text = String::from("\"");
    for character in value.chars() {
        if matches!(character, '"' | '\\' | '$' | '`') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
    text
}

pub(super) async fn is_running(slot: Slot) -> bool {
    let arguments = ["show", "--property=ActiveState,SubState,Job", &unit(slot)];
    systemctl(&arguments).await.is_ok_and(|said| runs(&said))
}

/// Whether a unit runs, or is about to, by what `systemctl show` says of it.
fn runs(said: &str) -> bool {
    let of = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    match (of("ActiveState="), of("SubState=")) {
        // One that ends and is started again, for ever, does not run.
        (_, "auto-restart") => false,
        ("active" | "activating" | "reloading" | "deactivating", _) => true,
        // What is asked for and has not begun.
        _ => !matches!(of("Job="), "" | "0"),
    }
}

/// Ends what runs; says whether it had to be cut off.
pub(super) async fn stop(slot: Slot) -> Came<bool> {
    systemctl(&["stop", &unit(slot)]).await?;
    let result = systemctl(&["show", "--value", "--property=Result", &unit(slot)]).await?;
    Ok(result.trim() != "success")
}

pub(super) async fn settle(slot: Slot) -> Came<()> {
    systemctl(&["enable", "--quiet", &unit(slot)]).await?;
    systemctl(&["disable", "--quiet", &unit(slot.other())]).await.map(|_| ())
}

/// What the program told since it was started last, and what systemd told of it.
pub(super) async fn last_words(slot: Slot) -> String {
    let arguments = ["show", "--value", "--property=InvocationID", &unit(slot)];
    let start = systemctl(&arguments).await.unwrap_or_default();
    let start = start.trim();
    let (of_it, about_it) = (format!("_SYSTEMD_INVOCATION_ID={start}"), format!("INVOCATION_ID={start}"));
    let arguments = ["--no-pager", "--output=cat", "--lines=12", &of_it, "+", &about_it];
    let said = process::run(process::command(Path::new("journalctl"), &arguments, Path::new("/"))).await;
    said.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_to_run_runs_and_what_is_restarted_for_ever_does_not() {
        for (said, expected) in [
            ("ActiveState=active\nSubState=running\nJob=0", true),
            ("ActiveState=activating\nSubState=start\nJob=12", true),
            ("ActiveState=deactivating\nSubState=stop-sigterm\nJob=13", true),
            ("ActiveState=inactive\nSubState=dead\nJob=14", true),
            ("ActiveState=inactive\nSubState=dead\nJob=", false),
            ("ActiveState=failed\nSubState=failed\nJob=0", false),
            ("ActiveState=activating\nSubState=auto-restart\nJob=15", false),
            ("", false),
        ] {
            assert_eq!(runs(said), expected, "{said}");
        }
    }

    #[test]
    fn values_are_quoted_as_systemd_reads_them() {
        for (value, text) in
            [("plain", r#""plain""#), ("a b#c", r#""a b#c""#), (r#"q"u\o$t`e"#, r#""q\"u\\o\$t\`e""#)]
        {
            assert_eq!(quoted(value), text);
        }
    }
}
