//! GANTT002: a year that is far from all others.

use super::tasks::tasks;
use crate::{document::Document, rules::rule::Hit};

warning! {
    /// ## What it finds
    /// A date whose year has not four digits, or is more than 200 years from most others.
    ///
    /// ## Why it breaks
    /// Mermaid draws the chart from the earliest to the latest date: with `202-03-05` those are 1800 years apart, and
    /// no task is wide enough to be seen.
    ///
    /// ## Fix
    /// Correct the year.
    Warning, "GANTT002", "task-date", find
}

/// The most years between two dates of one plan.
const MAX_YEARS: i64 = 200;

fn find(document: &Document<'_>) -> Vec<Hit> {
    // Other formats may begin with the day.
    let other = document.body().any(|line| {
        let format = line.content().1.strip_prefix("dateFormat").map(str::trim);
        format.is_some_and(|format| !format.starts_with("YYYY-"))
    });
    if other {
        return Vec::new();
    }
    let year = |text: &str| {
        let (digits, rest) = text.split_once('-')?;
        let date = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && rest.contains('-');
        digits.parse::<i64>().ok().filter(|_| date && digits.len() <= 9).map(|year| (digits.len(), year))
    };
    let tasks = tasks(document);
    let dates = || tasks.iter().flat_map(|task| &task.dates);
    let mut years: Vec<i64> = dates().filter_map(|(_, text)| year(text)).map(|(_, year)| year).collect();
    years.sort_unstable();
    let Some(usual) = years.get(years.len() / 2).copied() else {
        return Vec::new();
    };
    dates()
        .filter_map(|(range, text)| {
            let (digits, year) = year(text)?;
            let odd = digits != 4 || (year - usual).abs() > MAX_YEARS;
            odd.then(|| {
                Hit::new(range.clone(), format!("The year of `{text}` is probably wrong."), Vec::new())
            })
        })
        .collect()
}
