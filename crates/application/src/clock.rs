//! Clock and id generator, replaceable in tests.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use store::TimeUs;
use uuid::Uuid;

#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn system() -> Self {
        Clock(Arc::new(SystemTime::now))
    }

    pub fn from_fn(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Clock(Arc::new(now))
    }

    pub fn now_us(&self) -> TimeUs {
        let since = (self.0)().duration_since(UNIX_EPOCH).unwrap_or_default();
        TimeUs::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Creates an id that sorts by time.
    pub fn new_id(&self, prefix: &str) -> String {
        format!("{prefix}_{}", Uuid::now_v7().simple())
    }
}

/// RFC 3339 in UTC with milliseconds, as in the API.
pub fn rfc3339(at: TimeUs) -> String {
    // Years beyond 262,000 have no such form.
    chrono::DateTime::from_timestamp_micros(at.as_micros())
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Parses RFC 3339 with any offset.
pub fn parse_rfc3339(text: &str) -> Option<TimeUs> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| TimeUs::from_micros(at.timestamp_micros()))
}

/// Date and time to the minute in UTC, for people.
pub fn format_minute(at: TimeUs) -> String {
    let text = rfc3339(at);
    text.get(..16).map_or(text.clone(), |format_minute| format_minute.replace('T', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_formatted_in_utc() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_800_000_000_123_456, "2027-01-15T08:00:00.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MAX, "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(TimeUs::from_micros(micros)), text);
        }
        for (text, micros) in [
            ("2027-01-15T09:00:00.123456+01:00", Some(1_800_000_000_123_456)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2027-01-15", None),
            ("", None),
        ] {
            assert_eq!(parse_rfc3339(text).map(TimeUs::as_micros), micros, "{text}");
        }
        assert_eq!(format_minute(TimeUs::from_micros(1_800_000_000_123_456)), "2027-01-15 08:00");
    }
}
