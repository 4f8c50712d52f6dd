//! Checks and their outcomes. `doctor`, `verify` and `monitor` are three lists of [`Check`].

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    pin::Pin,
    time::{Duration, Instant},
};

use application::private_files;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be; what was found.
    Ok(String),
    /// It works, and something should be done.
    Warning(Problem),
    /// It does not work, or is not safe.
    Failed(Problem),
    /// The check does not apply or could not run; the reason.
    Skipped(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub found: String,
    /// What to do.
    pub cure: String,
    /// A repair that loses nothing, if there is one.
    pub fix: Option<Fix>,
}

/// A repair that loses nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Remove all access of other users.
    RestrictAccess(Vec<PathBuf>),
    /// Create a folder that only its owner can access.
    CreateFolder(PathBuf),
}

/// Why a check ended early.
#[derive(Debug)]
pub enum CheckFailure {
    /// The cure is that of the check if none is given.
    Failed {
        found: String,
        cure: Option<String>,
    },
    Skipped(String),
}

/// What a check function returns.
pub type CheckResult = Result<Outcome, CheckFailure>;
pub type CheckFuture<'a> = Pin<Box<dyn Future<Output = CheckResult> + Send + 'a>>;

/// One check of a context `C`.
pub struct Check<C> {
    /// Stable; programs refer to it.
    pub id: &'static str,
    /// What should be true.
    pub title: &'static str,
    /// What to do when it fails, where the outcome does not say.
    pub cure: &'static str,
    pub run: for<'a> fn(&'a mut C) -> CheckFuture<'a>,
}

/// A check that has run.
#[derive(Debug, Clone)]
pub struct CheckReport {
    pub id: &'static str,
    pub title: &'static str,
    pub outcome: Outcome,
    /// What a [`Fix`] repaired.
    pub fixed: Option<String>,
    pub elapsed: Duration,
}

/// From best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Skipped,
    Ok,
    Warning,
    Failed,
}

/// Builds a list of checks from rows of id, title, cure and function.
macro_rules! checks {
    ($($id:literal, $title:literal, $cure:expr, $run:path;)*) => {
        &[$($crate::diagnostics::Check {
            id: $id,
            title: $title,
            cure: $cure,
            run: |context| Box::pin($run(context)),
        }),*]
    };
}
pub(crate) use checks;

impl<C> std::fmt::Debug for Check<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

impl<C> Check<C> {
    pub async fn run(&self, context: &mut C) -> CheckReport {
        let started = Instant::now();
        let outcome = (self.run)(context).await.unwrap_or_else(|failure| failure.into_outcome(self.cure));
        self.report(outcome, started.elapsed())
    }

    pub(crate) fn report(&self, outcome: Outcome, elapsed: Duration) -> CheckReport {
        CheckReport { id: self.id, title: self.title, outcome, fixed: None, elapsed }
    }
}

impl CheckFailure {
    pub fn failed(found: impl Into<String>) -> Self {
        CheckFailure::Failed { found: found.into(), cure: None }
    }

    pub fn with_cure(found: impl Into<String>, cure: impl Into<String>) -> Self {
        CheckFailure::Failed { found: found.into(), cure: Some(cure.into()) }
    }

    pub fn skipped(reason: impl Into<String>) -> Self {
        CheckFailure::Skipped(reason.into())
    }

    fn into_outcome(self, cure: &str) -> Outcome {
        match self {
            CheckFailure::Failed { found, cure: own } => {
                Outcome::failed(found, own.unwrap_or_else(|| cure.to_owned()))
            }
            CheckFailure::Skipped(reason) => Outcome::Skipped(reason),
        }
    }
}

/// The result of a check that holds.
pub fn passed(found: impl Into<String>) -> CheckResult {
    Ok(Outcome::ok(found))
}

/// Ends a check whose condition does not hold.
///
/// # Errors
/// When `condition` is false.
pub fn ensure(condition: bool, found: impl FnOnce() -> String) -> Result<(), CheckFailure> {
    if condition { Ok(()) } else { Err(CheckFailure::failed(found())) }
}

impl Outcome {
    pub fn ok(found: impl Into<String>) -> Self {
        Outcome::Ok(found.into())
    }

    pub fn skipped(reason: impl Into<String>) -> Self {
        Outcome::Skipped(reason.into())
    }

    pub fn warning(found: impl Into<String>, cure: impl Into<String>) -> Self {
        Outcome::Warning(Problem { found: found.into(), cure: cure.into(), fix: None })
    }

    pub fn failed(found: impl Into<String>, cure: impl Into<String>) -> Self {
        Outcome::Failed(Problem { found: found.into(), cure: cure.into(), fix: None })
    }

    /// Adds a repair to a warning or failure.
    #[must_use]
    pub fn with_fix(mut self, fix: Fix) -> Self {
        if let Outcome::Warning(problem) | Outcome::Failed(problem) = &mut self {
            problem.fix = Some(fix);
        }
        self
    }

    pub fn status(&self) -> Status {
        match self {
            Outcome::Ok(_) => Status::Ok,
            Outcome::Warning(_) => Status::Warning,
            Outcome::Failed(_) => Status::Failed,
            Outcome::Skipped(_) => Status::Skipped,
        }
    }

    /// What was found, or why the check was skipped.
    pub fn found(&self) -> &str {
        match self {
            Outcome::Ok(text) | Outcome::Skipped(text) => text,
            Outcome::Warning(problem) | Outcome::Failed(problem) => &problem.found,
        }
    }

    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Outcome::Warning(problem) | Outcome::Failed(problem) => Some(problem),
            Outcome::Ok(_) | Outcome::Skipped(_) => None,
        }
    }
}

impl CheckReport {
    pub fn status(&self) -> Status {
        self.outcome.status()
    }

    /// Applies the fix, if there is one.
    pub fn fix(&mut self) {
        let (Outcome::Warning(problem) | Outcome::Failed(problem)) = &mut self.outcome else { return };
        let Some(fix) = problem.fix.take() else { return };
        match fix.apply() {
            Ok(done) => {
                self.outcome = Outcome::Ok(std::mem::take(&mut problem.found));
                self.fixed = Some(done.to_owned());
            }
            Err(error) => problem.found.push_str(&format!("; the repair failed ({error})")),
        }
    }
}

impl Fix {
    fn apply(&self) -> Result<&'static str, String> {
        match self {
            Fix::RestrictAccess(paths) => {
                for path in paths {
                    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
                    let mode = match fs::metadata(path) {
                        Ok(metadata) => metadata.permissions().mode(),
                        // SQLite deletes its log when the last connection closes, as after the checks.
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                        Err(error) => return Err(failed(error)),
                    };
                    fs::set_permissions(path, Permissions::from_mode(mode & 0o700)).map_err(failed)?;
                }
                Ok("other users have no access any more")
            }
            Fix::CreateFolder(path) => {
                private_files::create_folder(path).map_err(|error| format!("{}: {error}", path.display()))?;
                Ok("the folder was created")
            }
        }
    }
}

/// The worst status of several checks; `Ok` where all were skipped.
pub fn worst_status(checks: &[CheckReport]) -> Status {
    checks.iter().map(CheckReport::status).max().unwrap_or(Status::Ok).max(Status::Ok)
}

pub fn count_status(checks: &[CheckReport], status: Status) -> usize {
    checks.iter().filter(|check| check.status() == status).count()
}
