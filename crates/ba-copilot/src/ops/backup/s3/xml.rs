//! Answers of the storage, which are XML: each element that holds text, by the names of those around it. Never fails: of an answer that is
//! none, as much is read as can be.

use quick_xml::{Reader, events::Event};

/// The elements that hold text, in their order: `("Error/Code", "NoSuchKey")`.
pub(super) fn leaves(text: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut words = String::new();
    let mut leaves = Vec::new();
    // A prefix says nothing here: these answers have one namespace.
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(element) => {
                path.push(element.local_name().into_inner().to_owned());
                words.clear();
            }
            Event::Text(text) => words.push_str(&text.xml10_content()),
            Event::CData(text) => words.push_str(&text.xml10_content()),
            Event::GeneralRef(named) => match (named.resolve_char_ref(), &*named) {
                (Ok(Some(character)), _) => words.push(character),
                (_, "amp") => words.push('&'),
                (_, "lt") => words.push('<'),
                (_, "gt") => words.push('>'),
                (_, "quot") => words.push('"'),
                (_, "apos") => words.push('\''),
                _ => (),
            },
            Event::End(_) => {
                if !words.trim().is_empty() {
                    leaves.push((path.join("/"), words.trim().to_owned()));
                }
                words.clear();
                path.pop();
            }
            Event::Eof => break,
            _ => (),
        }
    }
    leaves
}

/// The first text under this name.
pub(super) fn find<'a>(leaves: &'a [(String, String)], name: &str) -> Option<&'a str> {
    leaves.iter().find(|(path, _)| path == name).map(|(_, text)| text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let read = |text| leaves(text);
        let list = "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"x\"><Name/><Contents>\n <Key>a&amp;b&#x2f;c</Key>\
            <ETag>&quot;1&quot;</ETag></Contents><Contents><Key>d</Key></Contents></ListBucketResult>";
        let pair = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        assert_eq!(
            read(list),
            [
                pair("ListBucketResult/Contents/Key", "a&b/c"),
                pair("ListBucketResult/Contents/ETag", "\"1\""),
                pair("ListBucketResult/Contents/Key", "d"),
            ]
        );
        assert_eq!(find(&read("<Error><Code>NoSuchKey</Code></Error>"), "Error/Code"), Some("NoSuchKey"));
        for other in ["", "bad gateway", "<html><body>oh", "<a></b>", "{}"] {
            assert_eq!(find(&read(other), "Error/Code"), None, "{other}");
        }
    }
}
