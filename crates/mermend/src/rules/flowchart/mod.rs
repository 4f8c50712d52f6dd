//! Rules for flowcharts. They all look through `scan.rs`, a scanner that forgives what Mermaid does not.

mod arrows;
pub(crate) mod closing_bracket;
pub(crate) mod colon_label;
pub(crate) mod foreign_arrow;
pub(crate) mod label_pipes;
mod labels;
pub(crate) mod loose_end;
pub(crate) mod loose_statement;
pub(crate) mod nameless_node;
pub(crate) mod open_subgraph;
pub(crate) mod reserved_id;
pub(crate) mod scan;
pub(crate) mod spaced_id;
pub(crate) mod unquoted_label;
