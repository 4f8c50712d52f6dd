//! The `direction` of groups: a warning where Mermaid reads it and then ignores it, which nothing in its picture shows,
//! and a picture that has it where Mermaid's has it.
//!
//! Mermaid lays a group out on its own, in its own direction, unless a link joins a node in it with one outside of it,
//! or with one in another group inside of it: then the group is laid out together with what is around it.

use std::collections::HashMap;
#[cfg(feature = "pictures")]
use std::{borrow::Cow, collections::HashSet};

use crate::{
    deadline::Deadline,
    document::Document,
    engines::fast::{self, Share},
    finding::Finding,
    rules::verdicts::IGNORED_DIRECTION,
    text::LineIndex,
};
use merman::model::SemanticDiagramModel;

/// Groups within groups are followed so far.
const MAX_DEPTH: usize = 1000;

/// The directions of a valid text that have no effect.
pub(crate) fn ignored(text: &str, index: &LineIndex<'_>, deadline: &Deadline) -> Vec<Finding> {
    if !text.contains("direction") {
        return Vec::new();
    }
    let document = Document::new(text, deadline);
    let Some(groups) = Groups::read(text, deadline) else {
        return Vec::new();
    };
    let statements = match document.kind.map(|kind| kind.id) {
        Some("flowchart") => flowchart_statements(&document),
        Some("state") => state_statements(&document),
        _ => return Vec::new(),
    };
    let finding = |statement: &Statement| {
        let group = match &statement.group {
            GroupName::Id(id) => id.as_str(),
            GroupName::Closed(number) => groups.closed.get(*number)?,
        };
        let crossing = groups.crossing.get(group)?;
        let written = &text[statement.start..statement.end];
        if groups.around(group) == direction(written) {
            return None;
        }
        let title = groups.titles.get(group).map_or(group, String::as_str);
        let message = format!(
            "Mermaid ignores `{written}` of `{title}`, because the link from `{}` to `{}` {}.",
            crossing.from,
            crossing.to,
            if crossing.leaves { "leaves it" } else { "joins two groups in it" },
        );
        let span = index.location(statement.start, statement.end);
        Some(Finding::new(&IGNORED_DIRECTION, "rules", span, message).with_hint(
            "Link the group itself in place of a node in it, or remove the direction: the group is laid out in the \
             direction of what is around it.",
        ))
    };
    statements.iter().filter_map(finding).collect()
}

/// The text with links that are not drawn, where a flowchart has groups from top to bottom (or up) with nodes that no
/// link joins: Mermaid puts these one below the other, and the layout of the pictures would put them side by side.
#[cfg(feature = "pictures")]
pub(crate) fn stacked<'t>(text: &'t str, deadline: &Deadline) -> Cow<'t, str> {
    let written = text.contains("direction") && text.contains("subgraph");
    let Some(groups) = written.then(|| Groups::read(text, deadline)).flatten() else {
        return Cow::Borrowed(text);
    };
    let mut out = String::new();
    for group in &groups.closed {
        let vertical =
            groups.directions.get(group).is_some_and(|direction| direction == "TB" || direction == "BT");
        if vertical && !groups.crossing.contains_key(group) {
            for (from, to) in groups.gaps(group) {
                out.push_str(&format!("\n{from} ~~~ {to}"));
            }
        }
    }
    if out.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(format!("{text}{out}\n")) }
}

/// A link that makes Mermaid ignore a direction.
struct Crossing {
    from: String,
    to: String,
    /// One of its ends is outside of the group.
    leaves: bool,
}

/// The groups of a diagram by their ids.
#[derive(Default)]
struct Groups {
    /// The group around a node or a group.
    parents: HashMap<String, String>,
    titles: HashMap<String, String>,
    directions: HashMap<String, String>,
    /// Of the diagram.
    direction: String,
    /// In the order in which they are closed.
    closed: Vec<String>,
    /// The nodes of a flowchart's groups.
    members: HashMap<String, Vec<String>>,
    /// Those within one group.
    edges: Vec<(String, String)>,
    crossing: HashMap<String, Crossing>,
}

impl Groups {
    fn read(text: &str, deadline: &Deadline) -> Option<Groups> {
        let parsed = fast::parse(text, deadline, Share::Part).ok()?.ok()?;
        let mut groups = Groups::default();
        groups.edges = match parsed.model {
            SemanticDiagramModel::Flowchart(model) => {
                groups.direction = direction(model.direction.as_deref().unwrap_or("TB")).to_owned();
                for group in model.subgraphs {
                    // The innermost group comes first.
                    for node in &group.nodes {
                        groups.parents.entry(node.clone()).or_insert_with(|| group.id.clone());
                    }
                    groups.members.insert(group.id.clone(), group.nodes);
                    groups.add(group.id, group.title, group.dir);
                }
                model.edges.into_iter().map(|edge| (edge.from, edge.to)).collect()
            }
            SemanticDiagramModel::State(model) => {
                groups.direction = direction(&model.direction).to_owned();
                for node in model.nodes {
                    if let Some(parent) = node.parent_id {
                        groups.parents.insert(node.id.clone(), parent);
                    }
                    if node.is_group {
                        groups.add(
                            node.id,
                            String::new(),
                            node.dir.filter(|_| node.explicit_dir == Some(true)),
                        );
                    }
                }
                model.edges.into_iter().map(|edge| (edge.start, edge.end)).collect()
            }
            _ => return None,
        };
        for (from, to) in std::mem::take(&mut groups.edges) {
            deadline.spend(1).ok()?;
            match groups.parents.get(&from) == groups.parents.get(&to) {
                true => groups.edges.push((from, to)),
                false => groups.cross(&from, &to),
            }
        }
        Some(groups)
    }

    fn add(&mut self, id: String, title: String, own: Option<String>) {
        if let Some(own) = own {
            self.directions.insert(id.clone(), direction(&own).to_owned());
        }
        if !title.is_empty() {
            self.titles.insert(id.clone(), title);
        }
        self.closed.push(id);
    }

    /// A node or group and all groups around it, from the inside.
    fn chain<'s>(&'s self, id: &'s str) -> Vec<&'s str> {
        let mut chain = vec![id];
        while let Some(parent) = chain.last().and_then(|id| self.parents.get(*id)) {
            if chain.len() > MAX_DEPTH {
                break;
            }
            chain.push(parent);
        }
        chain
    }

    /// Notes a link between nodes of different groups: it counts for each group from its ends up to the one that has
    /// both.
    fn cross(&mut self, from: &str, to: &str) {
        let chains = [self.chain(from), self.chain(to)];
        let common = chains[0].iter().find(|id| chains[1].contains(id)).copied();
        let mut crossed = Vec::new();
        for chain in &chains {
            for id in chain {
                crossed.push(((*id).to_owned(), common != Some(id)));
                if common == Some(id) {
                    break;
                }
            }
        }
        for (id, leaves) in crossed {
            self.crossing.entry(id).or_insert_with(|| Crossing {
                from: from.to_owned(),
                to: to.to_owned(),
                leaves,
            });
        }
    }

    /// Pairs of nodes that hold the parts of a group together which no link joins; none if groups are among them.
    #[cfg(feature = "pictures")]
    fn gaps(&self, group: &str) -> Vec<(&str, &str)> {
        let members = self.members.get(group).map(Vec::as_slice).unwrap_or_default();
        if members.iter().any(|member| self.members.contains_key(member)) {
            return Vec::new();
        }
        let places: HashMap<&str, usize> = members.iter().map(String::as_str).zip(0..).collect();
        let place = |id: &String| places.get(id.as_str()).copied();
        let edges: Vec<(usize, usize)> =
            self.edges.iter().filter_map(|(from, to)| Some((place(from)?, place(to)?))).collect();
        // Each member begins as a part of its own.
        let mut part: Vec<usize> = (0..members.len()).collect();
        let root = |part: &[usize], mut at: usize| {
            while part[at] != at {
                at = part[at];
            }
            at
        };
        for (from, to) in &edges {
            let (from, to) = (root(&part, *from), root(&part, *to));
            part[from.max(to)] = from.min(to);
        }
        let part: Vec<usize> = (0..members.len()).map(|at| root(&part, at)).collect();
        let roots: Vec<usize> = (0..members.len()).filter(|at| part[*at] == *at).collect();
        let starts: HashSet<usize> = edges.iter().map(|(from, _)| *from).collect();
        let ends: HashSet<usize> = edges.iter().map(|(_, to)| *to).collect();
        let mut last = vec![None; members.len()];
        let mut first = vec![None; members.len()];
        for at in 0..members.len() {
            if !starts.contains(&at) {
                last[part[at]] = Some(at);
            }
            if !ends.contains(&at) {
                first[part[at]].get_or_insert(at);
            }
        }
        let pair = |pair: &[usize]| {
            let (from, to) = (last[pair[0]].unwrap_or(pair[0]), first[pair[1]].unwrap_or(pair[1]));
            (members[from].as_str(), members[to].as_str())
        };
        roots.windows(2).map(pair).collect()
    }

    /// The direction of what is around a group.
    fn around(&self, group: &str) -> &str {
        let own = |id: &&str| !self.crossing.contains_key(*id) && self.directions.contains_key(*id);
        let around = self.chain(group).into_iter().skip(1).find(own).and_then(|id| self.directions.get(id));
        around.unwrap_or(&self.direction)
    }
}

/// The direction that the last word of a statement names.
fn direction(statement: &str) -> &str {
    match statement.split_whitespace().next_back().unwrap_or_default() {
        "TD" => "TB",
        other => other,
    }
}

/// A `direction` within a group.
struct Statement {
    start: usize,
    end: usize,
    group: GroupName,
}

enum GroupName {
    Id(String),
    /// How many groups are closed before it is.
    Closed(usize),
}

fn is_direction(statement: &str) -> bool {
    let mut words = statement.split_whitespace();
    words.next() == Some("direction")
        && words.next().is_some_and(|word| ["TB", "TD", "BT", "LR", "RL"].contains(&word))
        && words.next().is_none()
}

fn flowchart_statements(document: &Document<'_>) -> Vec<Statement> {
    let mut found = Vec::new();
    // The directions of each open group.
    let mut open: Vec<Vec<(usize, usize)>> = Vec::new();
    let mut closed = 0;
    // The line of the header may go on with statements.
    let header = document.header().filter(|line| line.text.contains(';'));
    for line in header.into_iter().chain(document.body()) {
        let mut start = line.start;
        for piece in line.text.split_inclusive(';') {
            let statement = piece.trim_end_matches(';').trim();
            let at = start + (piece.len() - piece.trim_start().len());
            start += piece.len();
            if statement.split(|c: char| c.is_whitespace() || c == '[').next() == Some("subgraph") {
                open.push(Vec::new());
            } else if statement == "end" {
                for (start, end) in open.pop().unwrap_or_default() {
                    found.push(Statement { start, end, group: GroupName::Closed(closed) });
                }
                closed += 1;
            } else if let Some(group) = open.last_mut()
                && is_direction(statement)
            {
                group.push((at, at + statement.len()));
            }
        }
    }
    found
}

fn state_statements(document: &Document<'_>) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for line in document.body() {
        let (start, statement) = line.content();
        if let Some(head) = statement.strip_suffix('{') {
            open.push(head.split_whitespace().next_back().unwrap_or_default().to_owned());
        } else if statement == "}" {
            open.pop();
        } else if let Some(group) = open.last()
            && is_direction(statement)
        {
            found.push(Statement {
                start,
                end: start + statement.len(),
                group: GroupName::Id(group.clone()),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(&str, &[(usize, &str)])]) {
        for (text, expected) in rows {
            let deadline = Deadline::none();
            let found: Vec<_> = ignored(text, &LineIndex::new(text), &deadline);
            let lines: Vec<_> = found.iter().map(|finding| finding.span.line).collect();
            assert_eq!(
                lines,
                expected.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
                "{text}\n{found:#?}"
            );
            for (finding, (_, words)) in found.iter().zip(*expected) {
                assert!(finding.message.contains(words), "{text}\n{}", finding.message);
            }
        }
    }

    #[test]
    fn a_link_across_the_border_is_named() {
        check(&[
            (
                "flowchart LR\n subgraph a\n  direction TB\n  x --> y\n end\n z --> y\n",
                &[(3, "from `z` to `y` leaves")],
            ),
            (
                "flowchart LR\n subgraph a[Big one]\n  direction TB\n  x\n end\n x --> z\n",
                &[(3, "of `Big one`")],
            ),
            (
                concat!(
                    "flowchart LR\n subgraph o\n  direction TB\n",
                    "  subgraph i\n   direction BT\n   x\n  end\n  y\n end\n x --> y\n",
                ),
                &[(5, "leaves it"), (3, "joins two groups in it")],
            ),
            (
                "stateDiagram-v2\n state A {\n  direction LR\n  x --> y\n }\n y --> z\n",
                &[(3, "`direction LR` of `A`")],
            ),
        ]);
    }

    #[cfg(feature = "pictures")]
    #[test]
    fn parts_that_no_link_joins_are_held_together() {
        for (text, added) in [
            ("flowchart LR\n subgraph a\n direction TB\n x\n y\n z\n end", "\nx ~~~ y\ny ~~~ z\n"),
            ("flowchart LR\n subgraph a\n direction TB\n x --> y\n z\n end", "\ny ~~~ z\n"),
            ("flowchart LR\n subgraph a\n direction LR\n x\n y\n end", ""),
            ("flowchart LR\n subgraph a\n x\n y\n end", ""),
            ("flowchart LR\n subgraph a\n direction TB\n x\n y\n end\n x --> z", ""),
            ("flowchart LR\n subgraph a\n direction TB\n x --> y --> x\n end", ""),
            ("sequenceDiagram\n A->>B: subgraph direction", ""),
        ] {
            assert_eq!(stacked(text, &Deadline::none()), format!("{text}{added}"));
        }
    }

    #[test]
    fn a_direction_that_counts_or_changes_nothing_has_no_finding() {
        check(&[
            ("flowchart LR\n subgraph a\n  direction TB\n  x --> y\n end\n", &[]),
            ("flowchart LR\n subgraph a\n  direction TB\n  x --> y\n end\n a --> z\n", &[]),
            ("flowchart LR\n subgraph a\n  direction LR\n  x --> y\n end\n y --> z\n", &[]),
            ("flowchart TD\n subgraph a\n  direction TB\n  x --> y\n end\n y --> z\n", &[]),
            ("flowchart LR\n subgraph a\n  x --> y\n end\n y --> z[direction TB]\n", &[]),
            ("stateDiagram-v2\n direction LR\n state A {\n  x --> y\n }\n y --> z\n", &[]),
            ("stateDiagram-v2\n state A {\n  direction LR\n  x --> y\n }\n A --> z\n", &[]),
            ("sequenceDiagram\n A->>B: direction LR\n", &[]),
        ]);
    }
}
