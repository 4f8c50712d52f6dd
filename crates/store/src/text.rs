//! Texts that both databases can hold.

use crate::{Field, StoreError};

/// PostgreSQL cannot hold U+0000 in a text and SQLite can, so neither gets it.
pub(crate) fn check_text(what: Field, text: &str) -> Result<(), StoreError> {
    if text.contains('\0') { Err(StoreError::Invalid { what }) } else { Ok(()) }
}
