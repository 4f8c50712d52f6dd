//! Where a redirect may lead: to a path of this server, by a list of allowed characters.
//!
//! A browser repairs an address before it follows it: it drops tabs and line ends, reads a backslash as a slash,
//! and a path that begins with two slashes as another host. So nothing is repaired here: every text outside the
//! list is refused.

/// The limit of a path; those of this server are much shorter.
const MAX_BYTES: usize = 2000;

/// `to` if it is a path of this server, with or without a query; or else the front page.
pub(crate) fn local_path(to: &str) -> &str {
    if is_local(to) { to } else { "/" }
}

fn is_local(to: &str) -> bool {
    let (path, query) = to.split_once('?').unwrap_or((to, ""));
    let Some(segments) = path.strip_prefix('/').filter(|_| to.len() <= MAX_BYTES) else { return false };
    let is_query = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'\\');
    // The last segment may be empty, as in `/docs/`, but `//` begins a host, and browsers resolve `/./` and `/../`.
    let (last, before) = match segments.rsplit_once('/') {
        Some((before, last)) => (last, Some(before)),
        None => (segments, None),
    };
    before
        .into_iter()
        .flat_map(|before| before.split('/'))
        .all(|segment| !segment.is_empty() && is_segment(segment))
        && is_segment(last)
        && query.bytes().all(is_query)
}

/// A segment of literal characters and of percent-encoded text: no slash, backslash or dot segment that a proxy
/// could decode.
fn is_segment(segment: &str) -> bool {
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => match (bytes.next().and_then(hex), bytes.next().and_then(hex)) {
                (Some(high), Some(low)) => match high * 16 + low {
                    // A percent sign could begin a second encoding.
                    0..=0x1f | 0x7f | b'/' | b'\\' | b'%' => return false,
                    other => other,
                },
                _ => return false,
            },
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => byte,
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b','
            | b';' | b'=' | b':' | b'@' => byte,
            _ => return false,
        });
    }
    !matches!(decoded.as_slice(), b"." | b"..")
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;

    #[test]
    fn paths_of_this_server_are_kept() {
        for path in [
            "/",
            "/projects",
            "/docs/",
            "/projects/prj_01ab-CD?folder=fld_1&done=renamed",
            "/invitation?code=abc-DEF_123",
            "/?q=a%20b%2Fc//d",
            "/sign-in/oidc?next=%2Fprojects",
            "/diagrams/d?x=https://example.com/&y=%09",
            "/files/r%C3%A9sum%C3%A9.svg",
            "/a:b@c/d",
        ] {
            assert_eq!(local_path(path), path);
        }
    }

    #[test]
    fn everything_else_is_the_front_page() {
        for text in [
            "",
            "projects",
            "?next=/",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r/evil.example",
            "/\r\n//evil.example",
            "\t//evil.example",
            " //evil.example",
            "/ /evil.example",
            "/\0/evil.example",
            "/\u{b}/evil.example",
            "/\u{7f}/evil.example",
            "/\u{85}/evil.example",
            "/\u{2028}/evil.example",
            "/\u{feff}/evil.example",
            "/／evil.example",
            "／／evil.example",
            "/⁄evil.example",
            "/。evil",
            "/%09/evil.example",
            "/%0a/evil.example",
            "/%0D%0Aset-cookie:a=b",
            "/%2f/evil.example",
            "/%2F%2Fevil.example",
            "/%5cevil.example",
            "/%252f/evil.example",
            "/%2509/evil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/./evil",
            "/../evil",
            "/a/../..//evil.example",
            "/%2e%2e//evil.example",
            "/%2e/evil",
            "/a//evil.example",
            "/a/%2e%2e/b",
            "/%",
            "/%2",
            "/%zz",
            "/#//evil.example",
            "/a#b",
            "/?a\\b",
            "/?a\r\nb",
            "/?a b",
            "/?ü",
            "https://evil.example",
            "HTTPS://evil.example",
            "http:evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "java\tscript:alert(1)",
            "data:text/html,x",
            "mailto:a@evil.example",
            "@evil.example",
            "evil.example/",
            "./projects",
            "/<script>",
            "/\"onload=",
            "/[::1]/",
            "/a|b",
        ] {
            assert_eq!(local_path(text), "/", "{text:?}");
        }
        let long = format!("/{}", "a".repeat(MAX_BYTES));
        assert_eq!(local_path(&long), "/");
        assert_eq!(local_path(&long[1..]), "/");
    }

    /// The parser is that of the URL standard, which browsers implement.
    #[test]
    fn no_combination_leaves_this_server() {
        const PARTS: [&str; 21] = [
            "/",
            "\\",
            ".",
            "..",
            "\t",
            "\n",
            "%2f",
            "%5c",
            "%09",
            "%2e",
            "?",
            "#",
            "@",
            ":",
            "a",
            "evil.example",
            "https:",
            " ",
            "//",
            "%",
            "\u{3002}",
        ];
        let here = Url::parse("https://here.example/sign-in").unwrap();
        let mut kept = 0;
        for number in 0..PARTS.len().pow(4) {
            let mut rest = number;
            let text: String = (0..4)
                .map(|_| {
                    let part = PARTS[rest % PARTS.len()];
                    rest /= PARTS.len();
                    part
                })
                .collect();
            let to = local_path(&text);
            kept += usize::from(to == text);
            let there = here.join(to).unwrap();
            assert_eq!(there.origin(), here.origin(), "{text:?} leads to {there}");
            // And once more, as a page or a proxy that takes the path apart would.
            let again = here.join(there.path()).unwrap();
            assert_eq!(again.origin(), here.origin(), "{text:?} leads to {again}");
        }
        assert!(kept > 100, "the list must accept some paths, or the test shows nothing: {kept}");
    }
}
