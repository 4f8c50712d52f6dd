//! Files that may contain secrets.

use std::{io::Write as _, path::Path};

use super::error::StepError;
use application::private_files;

/// Writes a file that only its owner can read.
pub(super) fn write_secret(path: &Path, text: &str) -> Result<(), StepError> {
    let file = private_files::replace_file(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| StepError::file(path, error))
}
