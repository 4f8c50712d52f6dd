//! Log level of the process, readable and changeable at run time.
//!
//! Only named levels are accepted: a custom filter could make libraries log secrets, and is reserved for the
//! configuration.

use serde_json::json;

use super::{Error, access::Caller};
use crate::app::App;
use telemetry::{self, LEVELS, LevelError};

pub fn find_log_level(caller: &Caller) -> Result<String, Error> {
    caller.require_admin()?;
    telemetry::level().ok_or_else(|| Error::Unavailable(LevelError::Fixed.to_string()))
}

/// Sets the level until the next change, configuration reload or restart.
pub async fn update_log_level(app: &App, caller: &Caller, level: &str) -> Result<String, Error> {
    caller.require_admin()?;
    if !LEVELS.contains(&level) {
        return Err(Error::invalid(
            "level",
            format!("There is no such level. Use one of {}.", LEVELS.join(", ")),
        ));
    }
    let old = find_log_level(caller)?;
    // Recorded first, so that silencing the log leaves a trace.
    if let Some(store) = &app.store {
        let event =
            caller.audit_event(app, "log_level.update", None, "log", &json!({"from": old, "to": level}))?;
        store.record_audit_event(&event).await?;
    }
    telemetry::set_level(level).map_err(|error| Error::Unavailable(error.to_string()))?;
    Ok(level.to_owned())
}
