//! The recovery codes of a second factor: made, read and used up. Each can be used once; only hashes are stored.

use serde_json::json;
use store::User;

use crate::{
    Error,
    access::{Caller, store},
    app::App,
    secrets,
};

const CODES: usize = 10;
/// The letters and digits of a code. None of them is easily read as another one.
const ALPHABET: [u8; 32] = *b"abcdefghijkmnpqrstuvwxyz23456789";
/// So many of them are 80 bits: nobody finds a code by trying, not even with the hashes.
const CHARS: usize = 16;

/// Codes that were just made.
pub(super) struct NewCodes {
    /// As people see them.
    pub(super) shown: Vec<String>,
    /// As they are kept.
    pub(super) hashes: Vec<String>,
}

pub(super) fn new_codes(person: &User) -> Result<NewCodes, Error> {
    let mut codes = NewCodes { shown: Vec::new(), hashes: Vec::new() };
    for _ in 0..CODES {
        let bytes = secrets::random::<CHARS>()?;
        // 256 is a multiple of 32, so that each letter is as likely as the others.
        let code: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
        codes.hashes.push(hash(person, &code));
        let groups: Vec<&str> = (0..CHARS).step_by(4).filter_map(|at| code.get(at..at + 4)).collect();
        codes.shown.push(groups.join("-"));
    }
    Ok(codes)
}

/// What is kept of a code; it means something together with its person alone.
fn hash(person: &User, code: &str) -> String {
    secrets::hash(&format!("recovery code of {}: {code}", person.id))
}

/// A recovery code as people type it; none if the text is something else, such as a code of an app.
pub(super) fn read(text: &str) -> Option<String> {
    let code: String =
        text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    (code.len() == CHARS && code.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(code)
}

/// Uses up a code; false if it is none, or not any more.
pub(super) async fn use_up(app: &App, person: &User, code: &str) -> Result<bool, Error> {
    let mut event = Caller::local().did(app, "recovery_code.use", None, person.id.as_str(), &json!({}))?;
    event.user_id = Some(person.id.clone());
    Ok(store(app)?.use_recovery_code(&person.id, &hash(person, code), &event).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_type_them() {
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
            assert_eq!(read(typed).as_deref(), read_as, "{typed}");
        }
        let letters: std::collections::BTreeSet<u8> = ALPHABET.into_iter().collect();
        assert_eq!(letters.len(), 32);
    }
}
