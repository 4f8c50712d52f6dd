//! What the checks say, and mending what is safe to mend.
//!
//! As JSON: `{"version", "status", "counts": {"ok", "warning", "problem", "skipped"}, "checks": [{"id", "title", "status", "saw",
//! "cure"?, "fixed"?, "ms"}]}`. `status` is `ok`, `warning`, `problem` or, of a check, `skipped`; that of the whole is the worst.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::Duration,
};

use serde_json::{Value, json};

use super::Check;
use application::private_files;

/// How something is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nothing to look at here.
    Skipped,
    /// Good.
    Ok,
    /// It works, and something should be done.
    Warning,
    /// It does not work, or is not safe.
    Problem,
}

impl Status {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Status::Skipped => "skipped",
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Problem => "problem",
        }
    }
}

/// Something that can be mended without losing anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Take away from others what they may do with these.
    Rights(Vec<PathBuf>),
    /// Make a folder, for its owner alone.
    Folder(PathBuf),
}

impl Fix {
    fn carry_out(&self) -> Result<String, String> {
        match self {
            Fix::Rights(paths) => {
                for path in paths {
                    let problem = |error: std::io::Error| format!("{}: {error}", path.display());
                    let mode = match fs::metadata(path) {
                        Ok(found) => found.permissions().mode(),
                        // SQLite takes its log away when nobody has the file open any more, as after the checks.
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                        Err(error) => return Err(problem(error)),
                    };
                    fs::set_permissions(path, Permissions::from_mode(mode & 0o700)).map_err(problem)?;
                }
                Ok("others were given no access any more".to_owned())
            }
            Fix::Folder(path) => {
                private_files::create_folder(path).map_err(|error| format!("{}: {error}", path.display()))?;
                Ok("it was made".to_owned())
            }
        }
    }
}

/// What a check came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    status: Status,
    saw: String,
    cure: Option<String>,
    fix: Option<Fix>,
}

impl Outcome {
    /// Good.
    pub fn ok(saw: impl Into<String>) -> Self {
        Outcome { status: Status::Ok, saw: saw.into(), cure: None, fix: None }
    }

    /// Not looked at, and why.
    pub fn skipped(why: impl Into<String>) -> Self {
        Outcome { status: Status::Skipped, ..Self::ok(why) }
    }

    /// It works, and this should be done.
    pub fn warning(saw: impl Into<String>, cure: impl Into<String>) -> Self {
        Outcome { status: Status::Warning, cure: Some(cure.into()), ..Self::ok(saw) }
    }

    /// It does not work, or is not safe, and this must be done.
    pub fn problem(saw: impl Into<String>, cure: impl Into<String>) -> Self {
        Outcome { status: Status::Problem, cure: Some(cure.into()), ..Self::ok(saw) }
    }

    /// This would mend it.
    pub fn mended_by(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}

/// The answer of one check.
#[derive(Debug, Clone)]
pub struct Line {
    /// Which check.
    pub id: &'static str,
    /// What should be.
    pub title: &'static str,
    /// How it is.
    pub status: Status,
    /// What was seen.
    pub saw: String,
    /// What to do, where something is to be done.
    pub cure: Option<String>,
    /// What was mended.
    pub fixed: Option<String>,
    took: Duration,
    fix: Option<Fix>,
}

impl Line {
    pub(super) fn new(check: &Check, outcome: Outcome, took: Duration) -> Self {
        let Outcome { status, saw, cure, fix } = outcome;
        Line { id: check.id, title: check.title, status, saw, cure, fixed: None, took, fix }
    }

    fn json(&self) -> Value {
        let mut line =
            json!({"id": self.id, "title": self.title, "status": self.status.word(), "saw": self.saw});
        if let Some(cure) = &self.cure {
            line["cure"] = json!(cure);
        }
        if let Some(fixed) = &self.fixed {
            line["fixed"] = json!(fixed);
        }
        line["ms"] = json!(u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX));
        line
    }
}

/// All answers, in the order of the table.
#[derive(Debug, Clone)]
pub struct Report {
    /// One for each check.
    pub lines: Vec<Line>,
}

impl Report {
    pub(super) fn new(lines: Vec<Line>) -> Self {
        Report { lines }
    }

    /// Mends what is safe to mend; each such line is good afterwards, or says why it could not be mended.
    pub fn fix(&mut self) {
        for line in self.lines.iter_mut().filter(|line| line.status >= Status::Warning) {
            let Some(fix) = line.fix.take() else { continue };
            match fix.carry_out() {
                Ok(done) => {
                    line.status = Status::Ok;
                    line.cure = None;
                    line.fixed = Some(done);
                }
                Err(problem) => line.saw = format!("{}; it could not be mended ({problem})", line.saw),
            }
        }
    }

    /// Something can be mended.
    pub fn is_fixable(&self) -> bool {
        self.lines.iter().any(|line| line.fix.is_some())
    }

    /// The worst of all.
    pub fn status(&self) -> Status {
        self.lines.iter().map(|line| line.status).max().unwrap_or(Status::Ok).max(Status::Ok)
    }

    /// How many lines are like this.
    pub fn count(&self, status: Status) -> usize {
        self.lines.iter().filter(|line| line.status == status).count()
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let counts: serde_json::Map<String, Value> =
            [Status::Ok, Status::Warning, Status::Problem, Status::Skipped]
                .map(|status| (status.word().to_owned(), json!(self.count(status))))
                .into_iter()
                .collect();
        let checks: Vec<Value> = self.lines.iter().map(Line::json).collect();
        json!({"version": env!("CARGO_PKG_VERSION"), "status": self.status().word(), "counts": counts, "checks": checks})
    }
}
