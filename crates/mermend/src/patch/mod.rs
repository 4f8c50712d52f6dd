//! Typed changes to flowcharts and class diagrams, as edits that leave everything else as it was written.
//!
//! An operation says what the diagram should mean afterwards. Edits of the text are tried, the smallest first, and the
//! first one after which the diagram means exactly that is taken: so an operation does what was asked, or nothing.

use std::collections::{HashMap, HashSet};

use diagram::{Outline, OutlineEdge, OutlineNode};

use crate::{
    check::{Checked, Checker, Engine},
    compare::{Change, changes},
    deadline::{Deadline, DeadlineExceeded},
    diff::unified_diff_within,
    kinds,
    outline::outline_within,
};

mod error;
mod expected;
mod lines;
mod operation;
mod write;

pub use error::{PatchError, PatchErrorKind};
pub use operation::Operation;

use error::Stop;
use expected::expected_outline;
use lines::Lines;
use operation::{Family, names, plain, short};
use write::{SHAPES, quoted, written};

/// At most so many operations at once.
const MOST_OPERATIONS: usize = 200;
/// Larger diagrams are not patched: every edit that is tried is read anew.
const MOST_BYTES: usize = 100_000;
/// The most edits that are tried for one operation.
const MOST_TRIES: usize = 40;

/// A patched diagram.
#[derive(Debug, Clone)]
pub struct Patched {
    /// The text.
    pub code: String,
    /// What is different, by element.
    pub changes: Vec<Change>,
    /// The change as a unified diff.
    pub diff: String,
    /// The verdict on the text; valid.
    pub checked: Checked,
}

impl Checker {
    /// Carries out `operations` in their order, all or none.
    ///
    /// # Errors
    /// Which operation cannot be carried out, and why.
    pub fn patch(&self, text: &str, operations: &[Operation]) -> Result<Patched, PatchError> {
        self.patch_within(text, operations, &self.deadline())
    }

    /// [`Checker::patch`] with a time limit.
    ///
    /// # Errors
    /// Which operation cannot be carried out, and why; [`PatchErrorKind::Failed`] with [`Failure::TooSlow`] when the
    /// deadline is exceeded.
    pub fn patch_within(
        &self,
        text: &str,
        operations: &[Operation],
        deadline: &Deadline,
    ) -> Result<Patched, PatchError> {
        let refuse = |message: &str| Stop::Refused(message.to_owned()).at(0);
        if operations.len() > MOST_OPERATIONS || text.len() > MOST_BYTES {
            return Err(refuse(&format!(
                "At most {MOST_OPERATIONS} operations on at most {MOST_BYTES} bytes are carried out at once."
            )));
        }
        let family = match kinds::find_by_header(text).map(|kind| kind.id) {
            Some("flowchart") => Family::Flow,
            Some("class") => Family::Class,
            _ => {
                return Err(refuse(
                    "Only flowcharts and class diagrams can be patched; change other kinds in the text.",
                ));
            }
        };
        let not_valid = "The diagram is not valid yet: repair it first, then patch it.";
        let outline = outline_within(text, deadline).map_err(|exceeded| Stop::from(exceeded).at(0))?;
        let before = outline.ok_or_else(|| refuse(not_valid))?;
        if !self.accepts(text, deadline).map_err(|failure| Stop::Failed(failure).at(0))? {
            return Err(refuse(not_valid));
        }
        let patch = Patch { family, size_bytes: self.limits().size_bytes, deadline };
        let start = State { text: text.to_owned(), outline: before.clone() };
        let State { text: code, outline: current } =
            patch.apply_all(start, operations, 0).map_err(|(operation, stop)| stop.at(operation))?;
        let last = operations.len().saturating_sub(1);
        let checked = self.check_within(&code, Engine::Mermaid, deadline);
        if let Some(failure) = checked.failure() {
            return Err(Stop::Failed(failure).at(last));
        }
        if !checked.valid {
            let message = "Mermaid would not accept the result, so nothing was changed.".to_owned();
            return Err(Stop::Refused(message).at(last));
        }
        let exceeded = |exceeded| Stop::from(exceeded).at(last);
        let changes = changes(&before, &current, deadline).map_err(exceeded)?.list;
        let diff = unified_diff_within(text, &code, deadline).map_err(exceeded)?;
        Ok(Patched { changes, diff, checked, code })
    }
}

/// A diagram on its way from operation to operation.
struct State {
    text: String,
    outline: Outline,
}

/// What all operations of a patch share.
struct Patch<'d> {
    family: Family,
    size_bytes: usize,
    deadline: &'d Deadline,
}

impl Patch<'_> {
    /// Carries out all of `operations`; the error names the first that cannot be, counted from `first`.
    fn apply_all(
        &self,
        state: State,
        operations: &[Operation],
        first: usize,
    ) -> Result<State, (usize, Stop)> {
        match operations {
            [] => Ok(state),
            [only] => self.apply(&state, only).map_err(|stop| (first, stop)),
            _ => {
                let together = self.apply_together(&state, operations);
                if let Some(next) = together.map_err(|exceeded| (first, exceeded.into()))? {
                    return Ok(next);
                }
                let (left, right) = operations.split_at(operations.len() / 2);
                let state = self.apply_all(state, left, first)?;
                self.apply_all(state, right, first + left.len())
            }
        }
    }

    /// Operations whose first edit is usually the right one, with one reading of the text for all of them instead of
    /// one for each. `None` if that does not lead to what they ask for: then each of them is tried by itself.
    fn apply_together(
        &self,
        state: &State,
        operations: &[Operation],
    ) -> Result<Option<State>, DeadlineExceeded> {
        if !operations.iter().all(Operation::is_simple) {
            return Ok(None);
        }
        let mut text = state.text.clone();
        let mut goal = state.outline.clone();
        for operation in operations {
            self.deadline.spend(text.len())?;
            let Ok(next) = expected_outline(self.family, &goal, operation) else {
                return Ok(None);
            };
            let lines = Lines::new(&text);
            let tries = candidates(self.family, &lines, &next, operation);
            let Some(Try::Text(candidate)) = tries.into_iter().next() else {
                return Ok(None);
            };
            (text, goal) = (candidate, next);
        }
        if text.len() > self.size_bytes {
            return Ok(None);
        }
        let found = outline_within(&text, self.deadline)?;
        Ok(found.filter(|found| same(found, &goal)).map(|outline| State { text, outline }))
    }

    fn apply(&self, state: &State, operation: &Operation) -> Result<State, Stop> {
        self.deadline.spend(state.text.len())?;
        let wanted = expected_outline(self.family, &state.outline, operation)?;
        let lines = Lines::new(&state.text);
        for candidate in candidates(self.family, &lines, &wanted, operation).into_iter().take(MOST_TRIES) {
            self.deadline.spend(state.text.len())?;
            let text = match candidate {
                Try::Text(text) => Some(text),
                Try::Without(set) => self.rewritten(&lines, state, &wanted, &set)?,
            };
            let Some(text) = text.filter(|text| text.len() <= self.size_bytes) else { continue };
            if let Some(outline) = outline_within(&text, self.deadline)?
                && same(&outline, &wanted)
            {
                return Ok(State { text, outline });
            }
        }
        let (id, _) = names(operation);
        let place = lines.mentioning(id).first().map(|at| format!(" (line {})", at + 1)).unwrap_or_default();
        Err(Stop::Refused(format!(
            "The text around `{}`{place} is written in a way that cannot be changed without changing more than was \
            asked; change it in the text.",
            short(id)
        )))
    }

    /// The text without the lines of `set`, with what was only there, and is still wanted, written anew.
    fn rewritten(
        &self,
        lines: &Lines<'_>,
        state: &State,
        wanted: &Outline,
        set: &[usize],
    ) -> Result<Option<String>, DeadlineExceeded> {
        let family = self.family;
        let rest = outline_within(&lines.without(set), self.deadline)?.unwrap_or_default();
        let kept: HashSet<(&str, &str, &str)> = rest
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node.label.as_str(), node.shape.as_str()))
            .collect();
        let gone: Vec<&OutlineNode> = wanted
            .nodes
            .iter()
            .filter(|node| !kept.contains(&(node.id.as_str(), node.label.as_str(), node.shape.as_str())))
            .collect();
        let mut left: HashMap<&OutlineEdge, usize> = HashMap::new();
        rest.edges.iter().for_each(|edge| *left.entry(edge).or_default() += 1);
        let mut edges: Vec<&OutlineEdge> = Vec::new();
        for edge in &wanted.edges {
            match left.get_mut(edge).filter(|count| **count > 0) {
                Some(count) => *count -= 1,
                None => edges.push(edge),
            }
        }
        // What an outline does not hold (crosses, two heads, lengths) must not be lost.
        if !edges.is_empty() && set.iter().any(|at| lines.has_special_ends(family, *at)) {
            return Ok(None);
        }
        let ids: HashSet<&str> = gone.iter().map(|node| node.id.as_str()).collect();
        let mut definitions = lines.definitions(set, &ids, self.deadline)?;
        let ends: HashSet<&str> =
            edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]).collect();
        let mut again = Vec::new();
        for node in gone {
            let by_a_line = ends.contains(node.id.as_str());
            match (family, definitions.remove(node.id.as_str())) {
                (Family::Flow, Some(raw)) => again.push(raw),
                _ if node.label == node.id && by_a_line => {}
                (Family::Flow, None) => again.push(node.id.clone()),
                (Family::Class, _) if node.label == node.id => again.push(format!("class {}", node.id)),
                (Family::Class, _) => again.push(format!("class {}[\"{}\"]", node.id, quoted(&node.label))),
            }
        }
        again.extend(edges.into_iter().map(|edge| written(family, edge)));
        // Nothing of the old diagram may be written anew that was not in these lines.
        let now = &state.outline;
        Ok((again.len() <= now.nodes.len() + now.edges.len() + 1).then(|| lines.replaced(set, &again)))
    }
}

/// Both mean the same. The shape of a new box is Mermaid's word for it, which no operation asks for.
fn same(found: &Outline, wanted: &Outline) -> bool {
    let new: HashSet<&str> =
        wanted.nodes.iter().filter(|node| node.shape.is_empty()).map(|node| node.id.as_str()).collect();
    let nodes = |outline: &Outline| {
        let mut nodes: Vec<OutlineNode> = outline.nodes.clone();
        for node in &mut nodes {
            node.members = node.members.iter().map(|member| plain(member)).collect();
            node.members.sort();
            // A box without brackets is a rectangle too.
            if new.contains(node.id.as_str())
                || matches!(node.shape.as_str(), "squareRect" | "square" | "rect")
            {
                node.shape.clear();
            }
        }
        nodes.sort_by(|a, b| a.id.cmp(&b.id));
        nodes
    };
    let edges = |outline: &Outline| {
        let key = |edge: &OutlineEdge| {
            [&edge.from, &edge.to, &edge.label, &edge.kind, &edge.from_label, &edge.to_label]
                .map(String::clone)
        };
        let mut edges: Vec<[String; 6]> = outline.edges.iter().map(key).collect();
        edges.sort();
        edges
    };
    nodes(found) == nodes(wanted) && edges(found) == edges(wanted) && found.groups == wanted.groups
}

/// An edit that may do what is wanted.
enum Try {
    /// The whole text.
    Text(String),
    /// The text without these lines, with what else was in them written anew.
    Without(Vec<usize>),
}

/// Edits that may do what is wanted, the one that changes least first.
fn candidates(family: Family, lines: &Lines<'_>, wanted: &Outline, operation: &Operation) -> Vec<Try> {
    let (id, other) = names(operation);
    match operation {
        Operation::AddNode { id, label, shape } => {
            let label = label.as_deref().map(str::trim).filter(|label| !label.is_empty());
            let line = match family {
                Family::Class => match label {
                    Some(label) => format!("class {id}[\"{}\"]", quoted(label)),
                    None => format!("class {id}"),
                },
                Family::Flow => {
                    let shape = shape.as_deref().unwrap_or("rect");
                    let (_, open, close) = SHAPES.iter().find(|row| row.0 == shape).unwrap_or(&SHAPES[0]);
                    format!("{id}{open}\"{}\"{close}", quoted(label.unwrap_or(id)))
                }
            };
            vec![Try::Text(lines.with_line(&line))]
        }
        Operation::AddEdge { .. } => {
            let edge = wanted.edges.last();
            edge.map(|edge| Try::Text(lines.with_line(&written(family, edge)))).into_iter().collect()
        }
        Operation::AddMember { id, member } => {
            vec![Try::Text(lines.with_line(&format!("{id} : {}", member.trim())))]
        }
        Operation::RenameNode { id, to } => vec![Try::Text(lines.renamed(family, id, to))],
        Operation::SetLabel { id, label } => {
            let mut tries = lines.relabelled(family, id, &quoted(label.trim()));
            let line = match family {
                Family::Class => format!("class {id}[\"{}\"]", quoted(label.trim())),
                Family::Flow => format!("{id}[\"{}\"]", quoted(label.trim())),
            };
            tries.push(lines.with_line(&line));
            tries.into_iter().map(Try::Text).collect()
        }
        Operation::RemoveMember { id, member } => {
            lines.members(id, member).into_iter().map(|at| Try::Without(vec![at])).collect()
        }
        Operation::RemoveNode { id } => {
            let mentioning = lines.mentioning(id);
            let all = lines.with_blocks(id, &mentioning);
            // Its own lines first: those of the others may be written again.
            let single = mentioning.into_iter().take(MOST_TRIES / 2).map(|at| Try::Without(vec![at]));
            single.chain([Try::Without(all)]).collect()
        }
        Operation::RemoveEdge { .. } | Operation::SetEdgeLabel { .. } => lines
            .mentioning(id)
            .into_iter()
            .filter(|at| other.is_none_or(|other| lines.mentions(*at, other)))
            .map(|at| Try::Without(vec![at]))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
