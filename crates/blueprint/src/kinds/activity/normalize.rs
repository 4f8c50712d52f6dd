//! Corrections that do not change the meaning of a diagram.

use std::collections::{HashMap, HashSet};

use super::model::{ActivityModel, ActivityNodeKind};
use crate::{
    compile::ascii_word,
    kinds::names::{self, Names, Notes},
    text::shorten,
};

/// Longest id, in characters; as in the schema.
pub(super) const LONG_ID: usize = 60;

pub(super) fn normalize(model: &mut ActivityModel) -> Vec<String> {
    let mut notes = Notes::default();
    for node in &mut model.nodes {
        for text in [&mut node.id, &mut node.label, &mut node.lane] {
            notes.tidy(text);
        }
        notes.tidy_option(&mut node.evidence);
    }
    notes.retain(&mut model.nodes, "step without a name", |node| {
        let wordless = !matches!(node.kind, ActivityNodeKind::Action | ActivityNodeKind::Decision);
        !node.label.is_empty() || (wordless && !node.id.is_empty()) || is_id(&node.id)
    });
    for edge in &mut model.edges {
        for text in [&mut edge.from, &mut edge.to, &mut edge.guard] {
            notes.tidy(text);
        }
        while let Some(inner) = edge.guard.strip_prefix('[').and_then(|guard| guard.strip_suffix(']')) {
            edge.guard = inner.trim().to_owned();
        }
    }
    let mut seen = HashSet::new();
    notes.retain(&mut model.nodes, "repeated step", |node| {
        seen.insert((node.id.clone(), node.kind as u8, node.label.clone(), node.lane.clone()))
    });
    name_lanes_alike(model, &mut notes);
    correct_ids(model, &mut notes);
    notes.retain(&mut model.edges, "arrow without ends", |edge| !edge.from.is_empty() && !edge.to.is_empty());
    let mut seen = HashSet::new();
    notes.retain(&mut model.edges, "repeated arrow", |edge| {
        seen.insert((edge.from.clone(), edge.to.clone(), edge.guard.clone()))
    });
    notes.finish()
}

/// Lanes that differ in case at most are one.
fn name_lanes_alike(model: &mut ActivityModel, notes: &mut Notes) {
    let mut first: HashMap<String, String> = HashMap::new();
    for node in &mut model.nodes {
        let name = first.entry(node.lane.to_lowercase()).or_insert_with(|| node.lane.clone());
        if *name != node.lane {
            notes.note(format!("Read the lane `{}` as `{}`.", shorten(&node.lane), shorten(name)));
            node.lane = name.clone();
        }
    }
}

fn is_id(id: &str) -> bool {
    id.len() <= LONG_ID
        && id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Every id becomes valid and unique; arrows follow, also those that name a node by its label.
fn correct_ids(model: &mut ActivityModel, notes: &mut Notes) {
    // Valid ids that stand first keep their names, so that the others get out of their way.
    let mut taken: HashSet<String> = HashSet::new();
    let keeps: Vec<bool> =
        model.nodes.iter().map(|node| is_id(&node.id) && taken.insert(node.id.clone())).collect();
    let mut renamed: HashMap<String, String> = HashMap::new();
    for (node, keeps) in model.nodes.iter_mut().zip(keeps) {
        if keeps {
            continue;
        }
        let source = if is_id(&node.id) || !node.id.is_empty() { &node.id } else { &node.label };
        let mut word: String = ascii_word(source).to_lowercase().chars().take(LONG_ID - 6).collect();
        if !is_id(&word) {
            word = format!("step_{word}").trim_end_matches('_').to_owned();
        }
        let mut id = word.clone();
        let mut number = 2;
        while !taken.insert(id.clone()) {
            id = format!("{word}_{number}");
            number += 1;
        }
        notes.note(format!("Gave the step `{}` the id `{id}`.", shorten(&node.id)));
        renamed.entry(std::mem::replace(&mut node.id, id.clone())).or_insert(id);
    }
    let ids: HashSet<&str> = model.nodes.iter().map(|node| node.id.as_str()).collect();
    let by_id = Names::new(ids.iter().copied());
    let mut by_label: HashMap<String, Option<&str>> = HashMap::new();
    for node in model.nodes.iter().filter(|node| !node.label.is_empty()) {
        by_label.entry(names::fold(&node.label)).and_modify(|id| *id = None).or_insert(Some(&node.id));
    }
    for edge in &mut model.edges {
        for end in [&mut edge.from, &mut edge.to] {
            if ids.contains(end.as_str()) {
                continue;
            }
            if let Some(id) = renamed.get(end) {
                *end = id.clone();
            } else if let Some(Some(id)) = by_label.get(&names::fold(end)) {
                notes.note(format!("Read `{}` as `{id}`.", shorten(end)));
                *end = (*id).to_owned();
            } else {
                by_id.resolve(end, notes);
            }
        }
    }
}
