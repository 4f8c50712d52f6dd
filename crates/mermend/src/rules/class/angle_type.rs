//! CLASS006: types in angle brackets that are not drawn.

use super::angle_generics;
use crate::{document::Document, rules::rule::Hit};

warning! {
    /// ## What it finds
    /// In a valid class diagram, a generic type in angle brackets: `+save() Promise<void>`.
    ///
    /// ## Why it breaks
    /// Mermaid accepts it in a member, but reads it as an HTML tag and leaves it out of the picture.
    ///
    /// ## Fix
    /// Write `Promise~void~`.
    Warning, "CLASS006", "angle-type", find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    angle_generics::find(document)
}
