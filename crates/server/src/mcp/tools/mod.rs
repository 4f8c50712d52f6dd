//! The tool table. docs/mcp.md documents names, arguments and answers; each file holds one tool.
//!
//! The JSON Schemas of inputs and answers are derived from their types. An invalid diagram is a normal answer; an
//! error means that the tool could not run.

mod compare;
mod draft;
mod draw;
mod explain;
mod kinds;
mod legacy_validate;
mod patch;
mod render;
mod repair;
mod schema;
mod tool;
mod validate;

use std::sync::OnceLock;

use self::tool::Row;

pub(super) use validate::verdict_text;

/// Every tool, in the order in which clients list them.
pub(super) fn table() -> &'static [Row] {
    static TABLE: OnceLock<Vec<Row>> = OnceLock::new();
    TABLE.get_or_init(|| {
        vec![
            validate::row(),
            repair::row(),
            render::row(),
            draft::row(),
            compare::row(),
            patch::row(),
            explain::row(),
            kinds::row(),
            legacy_validate::row(),
        ]
    })
}

pub(super) fn find(name: &str) -> Option<&'static Row> {
    table().iter().find(|row| row.tool.name == name)
}
