//! THE table of Mermaid's diagram kinds.
//!
//! `types` are Mermaid's own names; `header` is the word a diagram of the kind begins with. Each kind has a sample,
//! which is valid and drawn in the tests.

/// One kind of diagram.
#[derive(Debug)]
pub struct Kind {
    /// Our name, for example `class`.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// What a diagram of this kind begins with.
    pub header: &'static str,
    /// Mermaid's names of the type.
    pub types: &'static [&'static str],
    /// A small diagram.
    pub sample: &'static str,
}

macro_rules! kinds {
    ($($id:literal, $name:literal, $header:literal, [$($type:literal),*], $file:literal;)*) => {
        /// Every kind that Mermaid knows, the most frequent first.
        pub static KINDS: &[Kind] = &[$(Kind {
            id: $id, name: $name, header: $header, types: &[$($type),*],
            sample: include_str!(concat!("samples/", $file, ".mmd")),
        }),*];
    };
}

kinds! {
    "flowchart", "Flowchart", "flowchart", ["flowchart-v2", "flowchart", "flowchart-elk"], "flowchart";
    "class", "Class diagram", "classDiagram", ["classDiagram", "class"], "class";
    "sequence", "Sequence diagram", "sequenceDiagram", ["sequence"], "sequence";
    "state", "State diagram", "stateDiagram-v2", ["stateDiagram", "state"], "state";
    "er", "Entity-relationship diagram", "erDiagram", ["er"], "er";
    "usecase", "Use-case diagram", "usecase-beta", ["usecase"], "usecase";
    "journey", "User journey", "journey", ["journey"], "journey";
    "requirement", "Requirement diagram", "requirementDiagram", ["requirement"], "requirement";
    "gantt", "Gantt chart", "gantt", ["gantt"], "gantt";
    "timeline", "Timeline", "timeline", ["timeline"], "timeline";
    "mindmap", "Mind map", "mindmap", ["mindmap"], "mindmap";
    "kanban", "Kanban board", "kanban", ["kanban"], "kanban";
    "pie", "Pie chart", "pie", ["pie"], "pie";
    "quadrant", "Quadrant chart", "quadrantChart", ["quadrantChart"], "quadrant";
    "xychart", "XY chart", "xychart-beta", ["xychart"], "xychart";
    "radar", "Radar chart", "radar-beta", ["radar"], "radar";
    "sankey", "Sankey diagram", "sankey-beta", ["sankey"], "sankey";
    "treemap", "Treemap", "treemap-beta", ["treemap"], "treemap";
    "git", "Git graph", "gitGraph", ["gitGraph"], "git";
    "c4", "C4 diagram", "C4Context", ["c4"], "c4";
    "architecture", "Architecture diagram", "architecture-beta", ["architecture"], "architecture";
    "block", "Block diagram", "block-beta", ["block"], "block";
    "packet", "Packet diagram", "packet-beta", ["packet"], "packet";
    "swimlane", "Swimlane diagram", "swimlane-beta", ["swimlane"], "swimlane";
    "event_modeling", "Event model", "eventmodeling", ["eventmodeling", "eventModeling"], "event_modeling";
    "ishikawa", "Ishikawa diagram", "ishikawa-beta", ["ishikawa"], "ishikawa";
    "tree_view", "Tree view", "treeView-beta", ["treeView"], "tree_view";
    "venn", "Venn diagram", "venn-beta", ["venn"], "venn";
    "wardley", "Wardley map", "wardley-beta", ["wardley"], "wardley";
}

/// The row of one of Mermaid's own type names.
pub fn find_by_mermaid_type(mermaid_type: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.types.contains(&mermaid_type))
}

/// The row of an id.
pub fn find(id: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.id == id)
}

/// The row of the word that a text begins with, whatever its case, behind settings and comments.
pub fn find_by_header(text: &str) -> Option<&'static Kind> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| line.is_empty()).peekable();
    if lines.peek() == Some(&"---") {
        lines.next();
        lines.find(|line| *line == "---")?;
    }
    let first = lines.find(|line| !line.is_empty() && !line.starts_with("%%"))?;
    let word = first.split(|c: char| c.is_whitespace() || c == ';' || c == ':').next()?;
    let plain = |word: &str| word.trim_end_matches("-beta").trim_end_matches("-v2").to_ascii_lowercase();
    let word = plain(word);
    KINDS.iter().find(|kind| {
        plain(kind.header) == word
            || (word == "graph" && kind.id == "flowchart")
            || (word.starts_with("c4") && kind.id == "c4")
    })
}
