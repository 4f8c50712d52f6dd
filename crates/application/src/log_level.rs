//! How much this process tells in its log, looked at and changed while it runs.
//!
//! Only the words of levels can be set here: a filter of its own can make libraries tell what must not be logged, and is for those who
//! may change the configuration.

use serde_json::json;

use super::{Error, access::Caller};
use crate::app::App;
use telemetry::{self, LEVELS, LevelError};

/// The level now; for those who run the server.
pub fn find_log_level(caller: &Caller) -> Result<String, Error> {
    caller.admin()?;
    telemetry::level().ok_or_else(|| Error::Unavailable(LevelError::Fixed.to_string()))
}

/// Sets the level of this process, until it is set again, the configuration is read again, or the process ends.
pub async fn update_log_level(app: &App, caller: &Caller, level: &str) -> Result<String, Error> {
    caller.admin()?;
    if !LEVELS.contains(&level) {
        return Err(Error::invalid("level", format!("There is no such level. Use {}.", LEVELS.join(", "))));
    }
    let old = find_log_level(caller)?;
    // Written down first: somebody may make the log silent, and that must not be silent.
    if let Some(store) = &app.store {
        let event =
            caller.audit_event(app, "log_level.update", None, "log", &json!({"from": old, "to": level}))?;
        store.record_audit_event(&event).await?;
    }
    telemetry::set_level(level).map_err(|error| Error::Unavailable(error.to_string()))?;
    Ok(level.to_owned())
}
