//! Format and use of recovery codes. Each is valid once; only hashes are stored.

use serde_json::json;
use store::User;

use crate::{
    Error,
    access::{Caller, store},
    app::App,
    secrets,
};

const CODES: usize = 10;
/// Without characters that are easily confused.
const ALPHABET: [u8; 32] = *b"abcdefghijkmnpqrstuvwxyz23456789";
/// 80 bits: not guessable, not even offline with the hashes.
const CHARS: usize = 16;

pub(super) struct NewCodes {
    /// As displayed to the user.
    pub(super) shown: Vec<String>,
    pub(super) hashes: Vec<String>,
}

pub(super) fn new_codes(person: &User) -> Result<NewCodes, Error> {
    let mut codes = NewCodes { shown: Vec::new(), hashes: Vec::new() };
    for _ in 0..CODES {
        let bytes = secrets::random::<CHARS>()?;
        // 32 divides 256, so every letter is equally likely.
        let code: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
        codes.hashes.push(hash(person, &code));
        let groups: Vec<&str> = (0..CHARS).step_by(4).filter_map(|at| code.get(at..at + 4)).collect();
        codes.shown.push(groups.join("-"));
    }
    Ok(codes)
}

/// Hash of a code, bound to its user.
fn hash(person: &User, code: &str) -> String {
    secrets::hash(&format!("recovery code of {}: {code}", person.id))
}

/// Normalizes a recovery code; `None` for other text, such as a TOTP code.
pub(super) fn parse_code(text: &str) -> Option<String> {
    let code: String =
        text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    (code.len() == CHARS && code.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(code)
}

/// Uses up a code; false if it is unknown or used.
pub(super) async fn consume_code(app: &App, person: &User, code: &str) -> Result<bool, Error> {
    let mut event =
        Caller::local().audit_event(app, "recovery_code.use", None, person.id.as_str(), &json!({}))?;
    event.user_id = Some(person.id.clone());
    Ok(store(app)?.use_recovery_code(&person.id, &hash(person, code), &event).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_code_is_normalized() {
        for (typed, read_as) in [
            ("abcd-efgh-jkmn-2345", Some("abcdefghjkmn2345")),
            (" ABCD efgh JKMN 2345\n", Some("abcdefghjkmn2345")),
            ("123456", None),
            ("123 456", None),
            ("abcd-efgh-jkmn-234", None),
            ("abcd-efgh-jkmn-2341", None),
            ("äbcd-efgh-jkmn-234", None),
            ("", None),
        ] {
            assert_eq!(parse_code(typed).as_deref(), read_as, "{typed}");
        }
        let letters: std::collections::BTreeSet<u8> = ALPHABET.into_iter().collect();
        assert_eq!(letters.len(), 32);
    }
}
