//! The tasks of a Gantt chart.

use std::ops::Range;

use crate::document::Document;

/// Words in front of a task that are no part of its dates.
const TAGS: [&str; 5] = ["active", "done", "crit", "milestone", "vert"];
/// Statements that are no tasks.
const KEYWORDS: [&str; 14] = [
    "gantt",
    "title",
    "section",
    "dateFormat",
    "axisFormat",
    "tickInterval",
    "excludes",
    "includes",
    "todayMarker",
    "weekday",
    "weekend",
    "click",
    "inclusiveEndDates",
    "topAxis",
];

#[derive(Debug)]
pub(super) struct Task<'a> {
    pub(super) id: Option<&'a str>,
    /// Start and end, with the place of each.
    pub(super) dates: Vec<(Range<usize>, &'a str)>,
}

pub(super) fn tasks<'a>(document: &Document<'a>) -> Vec<Task<'a>> {
    if !document.is("gantt") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for line in document.body() {
        let (start, content) = line.content();
        let word = content.split_whitespace().next().unwrap_or_default();
        let Some((name, data)) = content.split_once(':').filter(|_| !KEYWORDS.contains(&word)) else {
            continue;
        };
        let mut at = start + name.len() + 1;
        let mut items = Vec::new();
        for item in data.split(',') {
            let from = at + item.len() - item.trim_start().len();
            let item_text = item.trim();
            at += item.len() + 1;
            if !TAGS.contains(&item_text) {
                items.push((from..from + item_text.len(), item_text));
            }
        }
        // One item is the end, two are start and end, three begin with the id.
        let id = (items.len() == 3).then(|| items.remove(0).1);
        found.push(Task { id, dates: items });
    }
    found
}
