//! MMD106: a header that is nearly right.

use crate::{body_kind::body_kind, document::Document, finding::FixClass, kinds, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// A header in the wrong case or spelling (`classdiagram`, `State Diagram`), a direction that Mermaid does not know
    /// (`top-down`), a colon after the header, or the first statement on the header's line.
    ///
    /// ## Why it breaks
    /// Mermaid compares the header letter by letter.
    ///
    /// ## Example
    /// ```text
    /// Flowchart td
    ///   Ask --> Answer
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   Ask --> Answer
    /// ```
    ///
    /// ## Fix
    /// Write the header as Mermaid spells it, alone on its line.
    "MMD106", "header-case", FixClass::Safe, find, unwraps: true
}

/// Other spellings of headers, letters and digits only, and what they mean.
const HEADERS: &[(&str, &str)] = &[
    ("flowchart", "flowchart"),
    ("flowdiagram", "flowchart"),
    ("graph", "graph"),
    ("classdiagram", "classDiagram"),
    ("classdiagramv2", "classDiagram"),
    ("umlclassdiagram", "classDiagram"),
    ("sequencediagram", "sequenceDiagram"),
    ("statediagram", "stateDiagram-v2"),
    ("statediagramv1", "stateDiagram"),
    ("statediagramv2", "stateDiagram-v2"),
    ("statediagramv3", "stateDiagram-v2"),
    ("statemachinediagram", "stateDiagram-v2"),
    ("erdiagram", "erDiagram"),
    ("entityrelationshipdiagram", "erDiagram"),
    ("ganttchart", "gantt"),
    ("ganttdiagram", "gantt"),
    ("gantt", "gantt"),
    ("piechart", "pie"),
    ("pie", "pie"),
    ("gitgraph", "gitGraph"),
    ("gitdiagram", "gitGraph"),
    ("mindmap", "mindmap"),
    ("mindmapdiagram", "mindmap"),
    ("timeline", "timeline"),
    ("timelinediagram", "timeline"),
    ("journey", "journey"),
    ("userjourney", "journey"),
    ("journeydiagram", "journey"),
    ("userjourneydiagram", "journey"),
    ("quadrantchart", "quadrantChart"),
    ("quadrantdiagram", "quadrantChart"),
    ("requirementdiagram", "requirementDiagram"),
    ("xychart", "xychart-beta"),
    ("xychartbeta", "xychart-beta"),
    ("sankey", "sankey-beta"),
    ("sankeydiagram", "sankey-beta"),
    ("sankeybeta", "sankey-beta"),
    ("blockdiagram", "block-beta"),
    ("blockbeta", "block-beta"),
    ("packetdiagram", "packet-beta"),
    ("packetbeta", "packet-beta"),
    ("architecturediagram", "architecture-beta"),
    ("architecturebeta", "architecture-beta"),
    ("radarchart", "radar-beta"),
    ("radarbeta", "radar-beta"),
    ("treemap", "treemap-beta"),
    ("treemapbeta", "treemap-beta"),
    ("kanban", "kanban"),
    ("kanbanboard", "kanban"),
    ("c4context", "C4Context"),
    ("c4container", "C4Container"),
    ("c4component", "C4Component"),
    ("c4dynamic", "C4Dynamic"),
    ("c4deployment", "C4Deployment"),
    ("usecasediagram", "usecase-beta"),
    ("usecasebeta", "usecase-beta"),
];

const DIRECTIONS: &[(&str, &str)] = &[
    ("td", "TD"),
    ("tb", "TB"),
    ("lr", "LR"),
    ("rl", "RL"),
    ("bt", "BT"),
    ("topdown", "TD"),
    ("topbottom", "TB"),
    ("toptobottom", "TB"),
    ("vertical", "TD"),
    ("horizontal", "LR"),
    ("leftright", "LR"),
    ("lefttoright", "LR"),
    ("rightleft", "RL"),
    ("righttoleft", "RL"),
    ("bottomup", "BT"),
    ("bottomtop", "BT"),
    ("bottomtotop", "BT"),
];

fn find(document: &Document<'_>) -> Vec<Hit> {
    let Some(header) = document.header() else {
        return Vec::new();
    };
    let (start, content) = header.content();
    let Some((name, rest)) = spelled(content) else {
        return Vec::new();
    };
    let flow = matches!(name, "flowchart" | "graph");
    let mut good = name.to_owned();
    let mut rest = rest.trim_start_matches([':', ' ', '\t']);
    if flow {
        let word_end = rest.find([' ', ':', ';', '\t']).unwrap_or(rest.len());
        let word = squash(&rest[..word_end]);
        match DIRECTIONS.iter().find(|(written, _)| *written == word) {
            Some((_, direction)) => {
                good.push(' ');
                good.push_str(direction);
                rest = &rest[word_end..];
            }
            None if rest.is_empty() || rest.starts_with(';') => {}
            None => good.push_str(" TD"),
        }
    }
    if content.strip_prefix(good.as_str()).is_some_and(|rest| rest.trim_start().starts_with(';')) {
        return Vec::new();
    }
    // A statement has an arrow or an outline; a word may be a direction that Mermaid does not know, or a title.
    let statement = rest.trim_start_matches([':', ';', ' ', '\t']).split(';').next().unwrap_or_default();
    let is_statement =
        ["--", "->", "==", "=>", "-.", "→", "[", "("].iter().any(|sign| statement.contains(sign));
    if flow && !statement.is_empty() && !is_statement {
        let message = format!("`{statement}` behind the header is no direction and no statement.");
        return vec![Hit::for_the_author(start..start + content.len(), message)];
    }
    let keeps_line = matches!(name, "pie" | "gitGraph" | "xychart-beta" | "quadrantChart" | "timeline");
    let rest = rest.trim().trim_start_matches(':').trim_start();
    if !rest.trim_matches([';', ':', '.']).is_empty() {
        match (keeps_line, rest.strip_prefix(';')) {
            (true, _) => good.push_str(&format!(" {rest}")),
            (false, statement) => {
                good.push_str(&format!("\n{}  {}", header.indent(), statement.unwrap_or(rest).trim_start()))
            }
        }
    }
    if good == content {
        return Vec::new();
    }
    let first = good.lines().next().unwrap_or_default();
    let message = format!("The header should be `{first}`.");
    let kind = kinds::find_by_header(name).map(|kind| kind.id);
    // Diagrams with boxes and arrows as those of a flowchart.
    let boxes = matches!(kind, Some("block" | "swimlane" | "usecase" | "architecture"));
    let other = body_kind(document).map(|(other, _)| other);
    let other = other.filter(|other| Some(*other) != kind && !(boxes && *other == "flowchart"));
    if let Some(other) = other {
        let message = format!("{message} But the lines below look like another kind of diagram ({other}).");
        return vec![Hit::for_the_author(start..start + content.len(), message)];
    }
    vec![Hit::replace(start..start + content.len(), message, good)]
}

/// The header that the first one, two or three words spell, and what follows them.
fn spelled(line: &str) -> Option<(&'static str, &str)> {
    // Marks of Markdown before it are not a matter of spelling.
    if !line.starts_with(char::is_alphabetic) {
        return None;
    }
    let mut ends = Vec::new();
    let mut inside = false;
    for (at, character) in line.char_indices().take(80) {
        let stop = character.is_whitespace() || matches!(character, ':' | ';');
        if stop && inside {
            ends.push(at);
        }
        inside = !stop;
    }
    if inside {
        ends.push(line.len());
    }
    ends.truncate(3);
    ends.iter().rev().find_map(|end| {
        let word = squash(line.get(..*end)?);
        // Of several words the last must say that it is a diagram: "graph td" is not one word.
        HEADERS.iter().find(|(written, _)| *written == word).map(|(_, name)| *name).zip(line.get(*end..)).map(
            |(name, rest)| {
                // Spellings that Mermaid knows besides the one of the table.
                let own = line[..*end].trim();
                match own {
                    "stateDiagram" | "classDiagram-v2" | "xychart" | "sankey" | "treemap" | "block"
                    | "packet" => (known(own), rest),
                    _ => (name, rest),
                }
            },
        )
    })
}

fn known(own: &str) -> &'static str {
    ["stateDiagram", "classDiagram-v2", "xychart", "sankey", "treemap", "block", "packet"]
        .into_iter()
        .find(|name| *name == own)
        .unwrap_or_default()
}

fn squash(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn headers_are_spelled() {
        check_rule("MMD106", "classdiagram\n%%^^^^^^^^^^ The header should be `classDiagram`.\n  A --> B\n");
        check_fix("ERDiagram\n  A ||--|| B : has\n", "erDiagram\n  A ||--|| B : has\n");
        check_fix("Sequence Diagram\n  A->>B: hi\n", "sequenceDiagram\n  A->>B: hi\n");
        check_fix("graph td\n  A --> B\n", "graph TD\n  A --> B\n");
        check_fix("stateDiagram-V2:\n  [*] --> A\n", "stateDiagram-v2\n  [*] --> A\n");
        check_fix("flowchart left-to-right\n  A --> B\n", "flowchart LR\n  A --> B\n");
        check_fix("flowchart LR A --> B\n", "flowchart LR\n  A --> B\n");
        check_fix("Pie Chart title Pets\n  \"a\" : 1\n", "pie title Pets\n  \"a\" : 1\n");
    }
}
