//! GANTT001: tasks that wait for a task that is not there, or for themselves.

use std::collections::{HashMap, HashSet};

use super::tasks::tasks;
use crate::{document::Document, rules::rule::Hit};

warning! {
    /// ## What it finds
    /// `after` or `until` with an id that no task has, and tasks that come after each other in a circle.
    ///
    /// ## Why it breaks
    /// Mermaid accepts such a chart. It begins the task today, or draws nothing at all.
    ///
    /// ## Fix
    /// Write the id of a task (`Survey :survey, 2026-03-02, 5d`, then `after survey`), and break the circle.
    Warning, "GANTT001", "task-reference", find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let tasks = tasks(document);
    let ids: HashMap<&str, usize> =
        tasks.iter().enumerate().filter_map(|(at, task)| task.id.map(|id| (id, at))).collect();
    let mut hits = Vec::new();
    let mut after: Vec<Vec<usize>> = Vec::new();
    for task in &tasks {
        let mut named = Vec::new();
        for (range, text) in &task.dates {
            let Some((word, list)) = text.split_once(char::is_whitespace) else { continue };
            if !matches!(word, "after" | "until") {
                continue;
            }
            for id in list.split_whitespace() {
                match ids.get(id) {
                    Some(at) if word == "after" => named.push(*at),
                    Some(_) => {}
                    None => {
                        let message = format!("No task has the id `{id}`.");
                        hits.push(Hit::new(range.clone(), message, Vec::new()));
                    }
                }
            }
        }
        after.push(named);
    }
    // Tasks are taken away whose predecessors are all taken away. What is left is in a circle or behind it.
    let mut waiting: Vec<usize> = after.iter().map(Vec::len).collect();
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
    for (at, named) in after.iter().enumerate() {
        named.iter().for_each(|before| followers[*before].push(at));
    }
    let mut free: Vec<usize> = (0..tasks.len()).filter(|at| waiting[*at] == 0).collect();
    let mut done: HashSet<usize> = HashSet::new();
    while let Some(at) = free.pop() {
        done.insert(at);
        for next in &followers[at] {
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                free.push(*next);
            }
        }
    }
    if let Some((at, task)) = tasks.iter().enumerate().find(|(at, _)| !done.contains(at)) {
        let place =
            task.dates.iter().find(|(_, text)| text.starts_with("after ")).map(|(range, _)| range.clone());
        let name = tasks[at].id.unwrap_or("this task");
        let message = format!("`{name}` begins after a task that begins after `{name}`.");
        hits.push(Hit::new(place.unwrap_or_default(), message, Vec::new()));
    }
    hits
}
