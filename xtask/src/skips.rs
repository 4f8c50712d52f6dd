//! What a run of `cargo test` amounts to: passed, failed and skipped tests, each skip with its reason.
//!
//! The test harness knows no skip at run time: a test that skips itself returns, and the harness prints `ok`. Such
//! tests are recorded in a file (`test_support::skip`) and subtracted here from those that passed.

use std::collections::{BTreeMap, BTreeSet};

use test_support::Skip;

use crate::Outcome;

/// A skip that does not fail the gate where `CI` is set.
pub(crate) struct Allowed {
    pub(crate) package: &'static str,
    /// How the name of the test begins.
    pub(crate) test: &'static str,
    pub(crate) why: &'static str,
}

impl Allowed {
    fn is(&self, skip: &Skip) -> bool {
        skip.test.starts_with(self.test) && (skip.package.is_empty() || skip.package == self.package)
    }
}

/// What the runs so far amount to.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skips: Vec<Skip>,
    /// Whether `cargo test` failed, which it also does when a test does not compile.
    pub(crate) broken: bool,
}

impl Counts {
    /// Reads what the harness printed and what skipped tests recorded.
    ///
    /// # Errors
    /// When the two do not fit together.
    pub(crate) fn of_run(printed: &[String], recorded: &str, success: bool) -> Result<Counts, String> {
        let mut counts = Counts { broken: !success, ..Counts::default() };
        let (mut ignored, mut failed_tests) = (0, BTreeSet::new());
        for line in printed {
            if let Some(result) = line.strip_prefix("test result:") {
                counts.passed += number_before(result, " passed");
                counts.failed += number_before(result, " failed");
                ignored += number_before(result, " ignored");
            } else if let Some((test, outcome)) =
                line.strip_prefix("test ").and_then(|line| line.split_once(" ... "))
            {
                if outcome.starts_with("FAILED") {
                    failed_tests.insert(test.to_owned());
                } else if let Some(reason) = outcome.strip_prefix("ignored") {
                    let reason = match reason.trim_start_matches([',', ' ']) {
                        "" => "marked #[ignore] without a reason",
                        reason => reason,
                    };
                    counts.skips.push(Skip {
                        package: String::new(),
                        test: test.to_owned(),
                        reason: reason.to_owned(),
                    });
                }
            }
        }
        if counts.skips.len() != usize::try_from(ignored).unwrap_or(usize::MAX) {
            return Err(format!(
                "the harness counts {ignored} ignored tests and names {}",
                counts.skips.len()
            ));
        }
        // A test that skips several parts is one skip; a test that skips a part and fails is a failure.
        let mut reasons: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for line in recorded.lines() {
            let skip = Skip::from_line(line).ok_or_else(|| format!("a skip cannot be read: {line}"))?;
            if !failed_tests.contains(&skip.test) {
                reasons.entry((skip.package, skip.test)).or_default().insert(skip.reason);
            }
        }
        let skipped = u32::try_from(reasons.len()).unwrap_or(u32::MAX);
        counts.passed = counts.passed.checked_sub(skipped).ok_or_else(|| {
            format!("{skipped} tests recorded that they were skipped, and only {} passed", counts.passed)
        })?;
        counts.skips.extend(reasons.into_iter().map(|((package, test), reasons)| Skip {
            package,
            test,
            reason: reasons.into_iter().collect::<Vec<_>>().join("; "),
        }));
        Ok(counts)
    }

    pub(crate) fn add(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skips.extend(other.skips);
        self.broken |= other.broken;
    }

    /// The last lines of a run: each skip with its reason, then the counts.
    pub(crate) fn closing_lines(&self, allowed: &[Allowed]) -> Vec<String> {
        let line = |skip: &Skip| match allowed.iter().find(|one| one.is(skip)) {
            Some(one) => format!("skipped: {skip} (allowed: {})", one.why),
            None => format!("skipped: {skip}"),
        };
        let mut lines: Vec<String> = self.skips.iter().map(line).collect();
        let Counts { passed, failed, skips, .. } = self;
        lines.push(format!("tests: {passed} passed, {failed} failed, {} skipped", skips.len()));
        lines
    }

    /// Whether the gate is open. With `strict`, a skip must be one of those allowed.
    pub(crate) fn verdict(&self, strict: bool, allowed: &[Allowed]) -> Outcome {
        if self.failed > 0 || self.broken {
            return Err("a test failed or could not be built; see above".to_owned());
        }
        if self.passed == 0 {
            return Err("no test passed".to_owned());
        }
        let unexpected: Vec<String> = self
            .skips
            .iter()
            .filter(|skip| !allowed.iter().any(|one| one.is(skip)))
            .map(|skip| format!("  {skip}"))
            .collect();
        if strict && !unexpected.is_empty() {
            return Err(format!(
                "with CI set, these tests must not be skipped (xtask/src/test.rs lists what may be):\n{}",
                unexpected.join("\n")
            ));
        }
        Ok(())
    }
}

fn number_before(text: &str, word: &str) -> u32 {
    let Some((before, _)) = text.split_once(word) else { return 0 };
    before.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: [Allowed; 1] =
        [Allowed { package: "mermend", test: "verdicts", why: "data from outside" }];

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    /// What is printed and recorded, then the closing lines and whether the gate is open, not strict and strict.
    fn check(printed: &str, recorded: &str, closing: &[&str], open: (bool, bool)) {
        let counts = Counts::of_run(&lines(printed), recorded, true).expect("counts");
        assert_eq!(counts.closing_lines(&ALLOWED), closing);
        let verdict = |strict| counts.verdict(strict, &ALLOWED).is_ok();
        assert_eq!((verdict(false), verdict(true)), open, "{printed}{recorded}");
    }

    #[test]
    fn skipped_tests_are_subtracted_from_passed_tests() {
        let three = "test a ... ok\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured\n\
                     test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured";
        check(three, "", &["tests: 3 passed, 0 failed, 0 skipped"], (true, true));
        check(
            three,
            "store\ta\tno server\n",
            &["skipped: store a: no server", "tests: 2 passed, 0 failed, 1 skipped"],
            (true, false),
        );
        // Of one test, several parts.
        check(
            three,
            "store\ta\tno server\nstore\ta\tno disk\nstore\ta\tno server\n",
            &["skipped: store a: no disk; no server", "tests: 2 passed, 0 failed, 1 skipped"],
            (true, false),
        );
        check(
            three,
            "mermend\tverdicts_agree\tno data\n",
            &[
                "skipped: mermend verdicts_agree: no data (allowed: data from outside)",
                "tests: 2 passed, 0 failed, 1 skipped",
            ],
            (true, true),
        );
        // What is allowed in one crate is not allowed in another.
        check(
            three,
            "store\tverdicts_agree\tno data\n",
            &["skipped: store verdicts_agree: no data", "tests: 2 passed, 0 failed, 1 skipped"],
            (true, false),
        );
    }

    #[test]
    fn ignored_tests_are_skips_with_their_reason() {
        check(
            "test a ... ignored, a helper\ntest b ... ignored\ntest result: ok. 1 passed; 0 failed; 2 ignored",
            "",
            &[
                "skipped: a: a helper",
                "skipped: b: marked #[ignore] without a reason",
                "tests: 1 passed, 0 failed, 2 skipped",
            ],
            (true, false),
        );
    }

    #[test]
    fn a_test_that_skips_a_part_and_fails_is_a_failure() {
        check(
            "test a ... FAILED\ntest result: FAILED. 1 passed; 1 failed; 0 ignored",
            "store\ta\tno server\n",
            &["tests: 1 passed, 1 failed, 0 skipped"],
            (false, false),
        );
    }

    #[test]
    fn a_run_without_a_pass_does_not_open_the_gate() {
        check(
            "test result: ok. 1 passed; 0 failed; 0 ignored",
            "mermend\tverdicts\tno data\n",
            &[
                "skipped: mermend verdicts: no data (allowed: data from outside)",
                "tests: 0 passed, 0 failed, 1 skipped",
            ],
            (false, false),
        );
        let unbuilt = Counts::of_run(&[], "", false).expect("counts");
        assert!(unbuilt.verdict(false, &[]).is_err());
        let built = "test result: ok. 5 passed; 0 failed; 0 ignored".to_owned();
        let crashed = Counts::of_run(&[built], "", false).expect("counts");
        assert!(crashed.verdict(false, &[]).is_err(), "cargo failed although no test did");
    }

    #[test]
    fn records_that_do_not_fit_are_an_error() {
        let one = lines("test result: ok. 1 passed; 0 failed; 0 ignored");
        for recorded in ["store\ta\tx\nstore\tb\tx\n", "not a record\n"] {
            assert!(Counts::of_run(&one, recorded, true).is_err(), "{recorded}");
        }
        assert!(Counts::of_run(&lines("test result: ok. 1 passed; 0 failed; 1 ignored"), "", true).is_err());
    }
}
