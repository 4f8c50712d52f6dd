//! The report as JUnit XML.

use std::time::Duration;

use chrono::DateTime;
use quick_junit::{NonSuccessKind, Report as JunitReport, TestCase, TestCaseStatus, TestSuite};

use super::report::Report;
use crate::diagnostics::Outcome;

/// # Errors
/// When the report cannot be serialized.
pub fn junit(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let total: Duration = report.checks.iter().map(|check| check.elapsed).sum();
    let mut suite = TestSuite::new("ba-copilot verify");
    suite.extra.insert("hostname".into(), report.address.as_str().into());
    suite.set_time(total);
    if let Some(at) = DateTime::from_timestamp_micros(report.at.as_micros()) {
        suite.set_timestamp(at);
    }
    for check in &report.checks {
        let status = match &check.outcome {
            Outcome::Ok(_) | Outcome::Warning(_) => TestCaseStatus::success(),
            Outcome::Failed(problem) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(problem.found.as_str()).set_description(problem.cure.as_str());
                status
            }
            Outcome::Skipped(reason) => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(reason.as_str());
                status
            }
        };
        let is_success = matches!(status, TestCaseStatus::Success { .. });
        let mut case = TestCase::new(format!("{}: {}", check.id, check.title), status);
        case.set_classname("ba-copilot.verify").set_time(check.elapsed);
        if is_success {
            case.set_system_out(check.outcome.found());
        }
        suite.add_test_case(case);
    }
    let mut junit = JunitReport::unnamed();
    junit.set_time(total).add_test_suite(suite);
    junit.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::CheckReport;

    #[test]
    fn report_is_valid_xml_whatever_a_server_answers() {
        let answer = "a < b & \"c\"\n\u{1b}[31m ]]> \u{FFFF}";
        let outcomes = [Outcome::ok(answer), Outcome::failed(answer, answer), Outcome::skipped(answer)];
        let checks = outcomes.map(|outcome| CheckReport {
            id: "x",
            title: "A <title>",
            outcome,
            fixed: None,
            elapsed: Duration::from_millis(1500),
        });
        let report = Report {
            address: "http://x/?a&b".to_owned(),
            at: store::TimeUs::from_micros(0),
            checks: checks.to_vec(),
        };
        let text = junit(&report).expect("XML");
        let mut reader = quick_xml::Reader::from_str(&text);
        let mut cases = 0;
        let mut suite = String::new();
        loop {
            match reader.read_event().expect("XML") {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Start(tag) if tag.name().as_ref() == "testcase" => cases += 1,
                quick_xml::events::Event::Start(tag) if tag.name().as_ref() == "testsuite" => {
                    suite = format!("{:?}", tag.as_ref());
                }
                _ => (),
            }
        }
        assert_eq!(cases, 3);
        for attribute in [
            "name=\"ba-copilot verify\"",
            "hostname=\"http://x/?a&amp;b\"",
            "timestamp=\"1970-01-01T00:00:00.000+00:00\"",
            "tests=\"3\"",
            "failures=\"1\"",
            "errors=\"0\"",
            "skipped=\"1\"",
            "time=\"4.500\"",
        ] {
            assert!(text.contains(attribute), "{attribute}: {text} {suite}");
        }
        for part in
            ["<skipped message=", "<failure message=", "<system-out>", "classname=\"ba-copilot.verify\""]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
