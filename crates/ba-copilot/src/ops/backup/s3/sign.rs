//! Requests signed as Amazon's storage and those like it ask for (Signature Version 4), in a header, with the checksum of the body in what
//! is signed: a body that changes on its way is refused. Sends nothing, and never puts anything secret into an address.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use ring::hmac::{self, HMAC_SHA256};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::super::archive::hex;
use llm::SecretString;

/// With what requests are signed.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    /// Which key.
    pub(super) id: SecretString,
    /// The key.
    pub(super) secret: SecretString,
    /// Of keys that hold for a while; empty for others.
    pub(super) token: SecretString,
}

/// What of a request is signed.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    /// As it is sent, percent signs and all.
    pub(super) path: &'a str,
    /// As it is sent; sorted.
    pub(super) query: &'a str,
    /// Names in small letters; sorted.
    pub(super) headers: &'a [(&'a str, &'a str)],
    /// Of the body, in hexadecimal.
    pub(super) body_sha256: &'a str,
}

/// Everything but letters, digits and `-._~` as `%XX`; a slash too if it is not one of a path.
pub(super) fn encode(text: &str, is_path: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'/' if is_path => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Parameters as they are sent and signed.
pub(super) fn query(parameters: &[(&str, &str)]) -> String {
    let mut pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name, false), encode(value, false)))
        .collect();
    pairs.sort();
    pairs.join("&")
}

/// The header `Authorization` of a request at a moment such as `20270115T080000Z`.
pub(super) fn authorization(keys: &Keys, region: &str, stamp: &str, what: &Signed<'_>) -> String {
    let names: Vec<&str> = what.headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let headers: String =
        what.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let request =
        [what.method, what.path, what.query, headers.as_str(), names.as_str(), what.body_sha256].join("\n");
    let day = stamp.get(..8).unwrap_or(stamp);
    let scope = format!("{day}/{region}/s3/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(request)));
    let mut key = format!("AWS4{}", keys.secret.expose_secret()).into_bytes();
    for part in [day, region, "s3", "aws4_request", text.as_str()] {
        key = hmac::sign(&hmac::Key::new(HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
    }
    let (id, signature) = (keys.id.expose_secret(), hex(&key));
    format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of Amazon's documentation.
    #[test]
    fn signatures_are_those_of_the_documentation() {
        let keys = Keys {
            id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            token: "".into(),
        };
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let welcome = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        let host = ("host", "examplebucket.s3.amazonaws.com");
        let date = ("x-amz-date", "20130524T000000Z");
        for (method, path, parameters, more, body_sha256, signature) in [
            (
                "GET",
                "test.txt",
                vec![],
                vec![("range", "bytes=0-9")],
                empty,
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "PUT",
                "test$file.text",
                vec![],
                vec![
                    ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                welcome,
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
            (
                "GET",
                "",
                vec![("lifecycle", "")],
                vec![],
                empty,
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "GET",
                "",
                vec![("prefix", "J"), ("max-keys", "2")],
                vec![],
                empty,
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let mut headers = vec![host, date, ("x-amz-content-sha256", body_sha256)];
            headers.extend(more);
            headers.sort_unstable();
            let (path, query) = (format!("/{}", encode(path, true)), query(&parameters));
            let what = Signed { method, path: &path, query: &query, headers: &headers, body_sha256 };
            let made = authorization(&keys, "us-east-1", date.1, &what);
            assert!(made.ends_with(&format!("Signature={signature}")), "{method} {path}: {made}");
        }
    }
}
