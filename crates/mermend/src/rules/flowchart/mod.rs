//! Rules for flowcharts. `scan.rs` reads the statements, also those that Mermaid rejects.

mod arrows;
mod closing_bracket;
mod colon_label;
mod edge_letter;
mod foreign_arrow;
mod label_pipes;
mod labels;
mod left_arrow;
mod letter_as_head;
mod loose_end;
mod loose_statement;
mod nameless_node;
mod open_subgraph;
mod reserved_id;
mod scan;
mod spaced_id;
mod subgraph_cycle;
mod unquoted_label;

use crate::rules::rule::RepairRule;

/// In the order in which repairs are tried.
pub(super) const RULES: &[&RepairRule] = &[
    &unquoted_label::RULE,
    &reserved_id::RULE,
    &edge_letter::RULE,
    &left_arrow::RULE,
    &foreign_arrow::RULE,
    &closing_bracket::RULE,
    &label_pipes::RULE,
    &colon_label::RULE,
    &nameless_node::RULE,
    &spaced_id::RULE,
    &loose_statement::RULE,
    &open_subgraph::RULE,
    &loose_end::RULE,
];

/// What is found in a valid flowchart.
pub(super) const WARNINGS: &[&RepairRule] = &[&letter_as_head::RULE, &subgraph_cycle::RULE];
