//! Class diagrams from text.
//!
//! | file | idea |
//! |---|---|
//! | `../analysis.rs` | which terms there are, and their roles |
//! | `attribute_claims.rs` | which term is said to be a property of which |
//! | `inheritance.rs` | which term is a kind of which |
//! | `choose.rs` | which terms become classes |
//! | `attributes.rs` | names and types of attributes |
//! | `enums.rs` | value lists |
//! | `questions.rs` | properties in `whether …` and `how many …` |
//! | `relationships.rs` | lines and their multiplicities |
//! | `assemble.rs` | the model |

mod assemble;
mod attribute_claims;
mod attributes;
mod choose;
mod enums;
pub(crate) mod inheritance;
mod questions;
mod relationships;

pub(crate) use assemble::draft;
