//! What merman is not asked to read.

use super::Failure;

/// Refuses a text.
///
/// # Errors
/// Deep.
pub(super) fn admit(text: &str) -> Result<(), Failure> {
    let _ = text;
    Ok(())
}
