//! Slots as two instances of one unit, `ba-copilot@blue` and `ba-copilot@green` (`infra/systemd`).

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use tokio::time::sleep;

use super::{command, error::StepError, files::write_secret, release::Release, slot::Slot};

/// What `systemctl` prints when the connection to systemd was closed before the answer. Its exit status is 1 for every
/// failure, so this is the one place where the text of another program is matched.
const CONNECTION_LOST: &str = "Transport endpoint is not connected";
const RETRIES: u32 = 5;
const RETRY_DELAY: Duration = Duration::from_millis(200);

fn unit(slot: Slot) -> String {
    format!("ba-copilot@{slot}.service")
}

/// Retries when the connection to systemd is lost; all commands used here are idempotent.
async fn systemctl(arguments: &[&str]) -> Result<String, StepError> {
    let ask = || command::run(command::new(Path::new("systemctl"), arguments, Path::new("/")));
    for _ in 0..RETRIES {
        match ask().await {
            Err(StepError::CommandFailed { output, .. }) if output.contains(CONNECTION_LOST) => {
                sleep(RETRY_DELAY).await;
            }
            other => return other,
        }
    }
    ask().await
}

pub(super) async fn inspect() -> Result<String, StepError> {
    let unit = systemctl(&["cat", &unit(Slot::Blue)]).await;
    unit.map_err(|error| StepError::UnitMissing(Box::new(error)))?;
    Ok("units of systemd".to_owned())
}

pub(super) async fn start(
    release: &Release,
    slot: Slot,
    folder: &Path,
    variables: &[(String, String)],
) -> Result<(), StepError> {
    let env_file = folder.join("env");
    let text: String = variables.iter().map(|(name, value)| format!("{name}={}\n", quoted(value))).collect();
    write_secret(&env_file, &text)?;
    let (current, next) = (folder.join("program"), folder.join("program.new"));
    let _ = fs::remove_file(&next);
    symlink(&release.program, &next)
        .and_then(|()| fs::rename(&next, &current))
        .map_err(|error| StepError::file(&current, error))?;
    // The program itself is asked whether it is ready, within the time of the settings, not that of the unit.
    systemctl(&["restart", "--no-block", &unit(slot)]).await.map(|_| ())
}

/// Quotes a value for an EnvironmentFile of systemd.
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
    systemctl(&arguments).await.is_ok_and(|properties| is_active(&properties))
}

/// Whether a unit runs or is about to, from the output of `systemctl show`.
fn is_active(properties: &str) -> bool {
    let value = |name: &str| properties.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    match (value("ActiveState="), value("SubState=")) {
        // A restart loop.
        (_, "auto-restart") => false,
        ("active" | "activating" | "reloading" | "deactivating", _) => true,
        // A start that is queued.
        _ => !matches!(value("Job="), "" | "0"),
    }
}

/// Stops a slot; whether it had to be killed.
pub(super) async fn stop(slot: Slot) -> Result<bool, StepError> {
    systemctl(&["stop", &unit(slot)]).await?;
    let result = systemctl(&["show", "--value", "--property=Result", &unit(slot)]).await?;
    Ok(result.trim() != "success")
}

pub(super) async fn enable_at_boot(slot: Slot) -> Result<(), StepError> {
    systemctl(&["enable", "--quiet", &unit(slot)]).await?;
    systemctl(&["disable", "--quiet", &unit(slot.other())]).await.map(|_| ())
}

/// The log of the program since its last start, and what systemd logged about it.
pub(super) async fn recent_logs(slot: Slot) -> String {
    let arguments = ["show", "--value", "--property=InvocationID", &unit(slot)];
    let id = systemctl(&arguments).await.unwrap_or_default();
    let id = id.trim();
    let (by_unit, about_unit) = (format!("_SYSTEMD_INVOCATION_ID={id}"), format!("INVOCATION_ID={id}"));
    let arguments = ["--no-pager", "--output=cat", "--lines=12", &by_unit, "+", &about_unit];
    command::run(command::new(Path::new("journalctl"), &arguments, Path::new("/"))).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queued_start_counts_as_running_and_restart_loop_does_not() {
        for (properties, expected) in [
            ("ActiveState=active\nSubState=running\nJob=0", true),
            ("ActiveState=activating\nSubState=start\nJob=12", true),
            ("ActiveState=deactivating\nSubState=stop-sigterm\nJob=13", true),
            ("ActiveState=inactive\nSubState=dead\nJob=14", true),
            ("ActiveState=inactive\nSubState=dead\nJob=", false),
            ("ActiveState=failed\nSubState=failed\nJob=0", false),
            ("ActiveState=activating\nSubState=auto-restart\nJob=15", false),
            ("", false),
        ] {
            assert_eq!(is_active(properties), expected, "{properties}");
        }
    }

    #[test]
    fn values_are_quoted_for_systemd() {
        for (value, text) in
            [("plain", r#""plain""#), ("a b#c", r#""a b#c""#), (r#"q"u\o$t`e"#, r#""q\"u\\o\$t\`e""#)]
        {
            assert_eq!(quoted(value), text);
        }
    }
}
