//! The report as JUnit writes it, which every pipeline shows.

use super::{Outcome, Report};
use application::clock::rfc3339;

/// The report as XML.
pub fn junit(report: &Report) -> String {
    let (passed, failed, skipped) = report.counts();
    let total: f64 = report.checks.iter().map(|done| done.took.as_secs_f64()).sum();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"ba-copilot verify\" hostname=\"{}\" timestamp=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"{total:.3}\">\n",
        escaped(&report.address),
        rfc3339(report.at),
        passed + failed + skipped,
    );
    for done in &report.checks {
        let head = format!(
            "<testcase classname=\"ba-copilot.verify\" name=\"{}: {}\" time=\"{:.3}\">",
            done.id,
            escaped(done.title),
            done.took.as_secs_f64()
        );
        let body = match &done.outcome {
            Outcome::Passed(seen) => format!("<system-out>{}</system-out>", escaped(seen)),
            Outcome::Failed { found, cure } => {
                format!("<failure message=\"{}\">{}</failure>", escaped(found), escaped(cure))
            }
            Outcome::Skipped(why) => format!("<skipped message=\"{}\"/>", escaped(why)),
        };
        out.push_str(&format!("{head}{body}</testcase>\n"));
    }
    out.push_str("</testsuite>\n</testsuites>\n");
    out
}

/// What a server says may be anything; XML may not.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verify::Done;

    #[test]
    fn whatever_a_server_says_it_is_xml() {
        let said = "a < b & \"c\"\n\u{1b}[31m ]]> \u{FFFF}";
        let outcomes = [
            Outcome::Passed(said.to_owned()),
            Outcome::Failed { found: said.to_owned(), cure: said.to_owned() },
            Outcome::Skipped(said.to_owned()),
        ];
        let checks = outcomes.map(|outcome| Done {
            id: "x",
            title: "A <title>",
            outcome,
            took: Duration::from_millis(1500),
        });
        let report = Report {
            address: "http://x/?a&b".to_owned(),
            at: store::TimeUs::from_micros(0),
            checks: checks.to_vec(),
        };
        let text = junit(&report);
        let mut reader = quick_xml::Reader::from_str(&text);
        let mut cases = 0;
        loop {
            match reader.read_event().expect("XML") {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Start(tag) if tag.name().as_ref() == "testcase" => cases += 1,
                _ => (),
            }
        }
        assert_eq!(cases, 3);
        assert!(
            text.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"4.500\""),
            "{text}"
        );
    }
}
