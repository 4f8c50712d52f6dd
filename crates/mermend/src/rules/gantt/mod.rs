//! Rules for Gantt charts. `tasks.rs` reads the lines of tasks.

mod task_date;
mod task_reference;
mod tasks;

use crate::rules::rule::RepairRule;

/// What is found in a valid chart.
pub(super) const WARNINGS: &[&RepairRule] = &[&task_reference::RULE, &task_date::RULE];
