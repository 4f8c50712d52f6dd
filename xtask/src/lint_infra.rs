//! `lint-infra`: linters for what operators use: the Dockerfile, the files of Compose, the Helm chart, the units of
//! systemd, the workflows. The tools are pinned in `xtask/lint` and installed into `target/lint`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Outcome, root, test, tools};

/// A check: what is checked, the tool, and its arguments.
type Check<'a> = (&'a str, String, Vec<String>);

pub(crate) fn run() -> Outcome {
    let folder = match install() {
        Ok(folder) => folder,
        Err(problem) => {
            let skipped = format!(
                "the files of operations were not checked: {problem}. \
                 The linters need npm, Python 3.11 or newer with venv, and both registries"
            );
            return skip(&skipped);
        }
    };
    let tool = |name: &str| folder.join("venv/bin").join(name).display().to_string();
    let place = |name: &str| root().join(name).display().to_string();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let compose: Vec<String> = ["compose.yaml", "compose.app.yaml", "compose.prod.yaml"]
        .iter()
        .map(|file| place(&format!("infra/compose/{file}")))
        .collect();
    let rules = "{extends: default, rules: {line-length: disable, document-start: disable, braces: disable, \
                 brackets: disable, comments: {min-spaces-from-content: 1}, truthy: {check-keys: false}, \
                 indentation: {indent-sequences: consistent}}}";
    // The program is not on this machine, and need not be.
    let unit = folder.join("ba-copilot@.service");
    let text = fs::read_to_string(root().join("infra/systemd/ba-copilot@.service"))
        .map_err(|error| error.to_string())?;
    let text = text.replace("ExecStart=/opt/ba-copilot/slots/%i/program", "ExecStart=/bin/true");
    fs::write(&unit, text).map_err(|error| error.to_string())?;
    let checks: [Check<'_>; 7] = [
        ("the Dockerfile", tool("hadolint"), words(&[&place("infra/container/Dockerfile")])),
        ("the files of Compose", tool("compose-lint"), [words(&["--fail-on", "high"]), compose].concat()),
        (
            "the Helm chart",
            tool("python"),
            words(&[&place("xtask/lint/chart.py"), &place("infra/helm/ba-copilot")]),
        ),
        (
            "all YAML",
            tool("yamllint"),
            words(&[
                "-s",
                "-d",
                rules,
                &place("infra/compose"),
                &place("infra/prometheus"),
                &place(".github"),
            ]),
        ),
        (
            "the workflows",
            "node".to_owned(),
            words(&[&folder.join("actions.mjs").display().to_string(), &place(".github/workflows")]),
        ),
        ("the safety of the workflows", tool("zizmor"), words(&["--offline", "--quiet", &place(".github")])),
        (
            "the units of systemd",
            "systemd-analyze".to_owned(),
            words(&["verify", "--man=no", &unit.display().to_string()]),
        ),
    ];
    let mut faults: Vec<String> = Vec::new();
    for (what, program, arguments) in checks {
        if !Path::new(&program).exists() && tools::which(Path::new(&program)).is_none() {
            skip(&format!("{what} was not checked: {program} is not installed"))?;
            continue;
        }
        let output = Command::new(&program).args(&arguments).current_dir(root()).output();
        match output {
            Ok(output) if output.status.success() => println!("ok      {what}"),
            Ok(output) => {
                let printed = [output.stdout, output.stderr].concat();
                println!("FAULTS  {what}\n{}", String::from_utf8_lossy(&printed));
                faults.push(what.to_owned());
            }
            Err(error) => faults.push(format!("{what} ({program}: {error})")),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(format!("there are faults in {}", faults.join(", "))) }
}

/// Installs the tools, unless they are there.
///
/// # Errors
/// Why they are not there.
pub(crate) fn install() -> Result<PathBuf, String> {
    let pinned = root().join("xtask/lint");
    let files = ["requirements.txt", "package.json"].map(|file| pinned.join(file));
    let folder = tools::installed("lint", "linters (npm, pip)", &files, |folder| {
        tools::pip(&files[0], folder)?;
        fs::copy(&files[1], folder.join("package.json")).map_err(|error| error.to_string())?;
        tools::run("npm", &["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    })?;
    copy_script(&pinned, &folder)?;
    Ok(folder)
}

/// A check that could not run: printed, and an error where `CI=true` is set.
fn skip(problem: &str) -> Outcome {
    if test::in_ci() {
        return Err(problem.to_owned());
    }
    println!("SKIPPED {problem}");
    Ok(())
}

/// Node looks for packages beside the script.
fn copy_script(pinned: &Path, folder: &Path) -> Result<(), String> {
    fs::copy(pinned.join("actions.mjs"), folder.join("actions.mjs"))
        .map(|_| ())
        .map_err(|error| error.to_string())
}
