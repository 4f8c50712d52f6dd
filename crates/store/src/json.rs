//! JSON stored as text. Checked to be JSON; its schema belongs to its writer.
//!
//! Text and not a JSON column, because the two databases disagree on everything else about JSON (binary or not, order
//! of keys, duplicate keys), and nothing here searches in it.

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::row::stored_as;
use crate::{Field, StoreError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonText(String);

stored_as!(JsonText, String);

impl JsonText {
    /// Serializes a value.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the value has no JSON form (a map whose keys are not text).
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, StoreError> {
        serde_json::to_string(value).map(Self).map_err(|_| StoreError::Invalid { what: Field::JsonValue })
    }

    /// Accepts a JSON text and keeps it byte for byte.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if it is not JSON.
    pub fn parse(text: impl Into<String>) -> Result<Self, StoreError> {
        let text = text.into();
        match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(StoreError::Invalid { what: Field::JsonText }),
        }
    }

    /// Deserializes the value.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the JSON does not have the shape of `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(&self.0).map_err(|_| StoreError::Invalid { what: Field::StoredJson })
    }

    /// The empty list, `[]`: no findings, no repairs, no trace.
    #[must_use]
    pub fn empty_list() -> Self {
        Self("[]".to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_text_is_checked_and_unchanged() {
        let kept = JsonText::parse(r#" {"b": 1, "a": "\u0000"} "#).unwrap();
        assert_eq!(kept.as_str(), r#" {"b": 1, "a": "\u0000"} "#);
        for bad in ["", "{", "[1,]", "nul", "\"a\u{0}b\"", "1 2"] {
            assert!(JsonText::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn value_round_trips() {
        let text = JsonText::encode(&["ä", "\u{0}", "\""]).unwrap();
        assert_eq!(text.decode::<Vec<String>>().unwrap(), ["ä", "\u{0}", "\""]);
        assert_eq!(text.decode::<bool>(), Err(StoreError::Invalid { what: Field::StoredJson }));
        assert!(JsonText::empty_list().decode::<Vec<u8>>().unwrap().is_empty());
    }
}
