//! Slots as two instances of one unit, `ba-copilot@blue` and `ba-copilot@green` (`ops/systemd`).

use std::{fs, os::unix::fs::symlink, path::Path};

use super::{
    Came, Release, Slot,
    fleet::{cannot, write_secret},
    outside,
};

fn unit(slot: Slot) -> String {
    format!("ba-copilot@{slot}.service")
}

async fn systemctl(arguments: &[&str]) -> Came<String> {
    outside::run(outside::command(Path::new("systemctl"), arguments, Path::new("/"))).await
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
    // The unit says that it is ready when it answers, standing by or not.
    systemctl(&["restart", &unit(slot)]).await.map(|_| ())
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
    systemctl(&["is-active", "--quiet", &unit(slot)]).await.is_ok()
}

pub(super) async fn stop(slot: Slot) -> Came<()> {
    systemctl(&["stop", &unit(slot)]).await.map(|_| ())
}

pub(super) async fn settle(slot: Slot) -> Came<()> {
    systemctl(&["enable", "--quiet", &unit(slot)]).await?;
    systemctl(&["disable", "--quiet", &unit(slot.other())]).await.map(|_| ())
}

pub(super) async fn last_words(slot: Slot) -> String {
    let arguments = ["--no-pager", "--output=cat", "--lines=12", "--unit", &unit(slot)];
    outside::run(outside::command(Path::new("journalctl"), &arguments, Path::new("/")))
        .await
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_as_systemd_reads_them() {
        for (value, text) in
            [("plain", r#""plain""#), ("a b#c", r#""a b#c""#), (r#"q"u\o$t`e"#, r#""q\"u\\o\$t\`e""#)]
        {
            assert_eq!(quoted(value), text);
        }
    }
}
