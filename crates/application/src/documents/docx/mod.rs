//! Word documents (ECMA-376, `.docx`) in base64: paragraphs, list items and table cells are requirements.
//!
//! The input is untrusted: only the two needed parts are inflated, each with a size limit; an XML part may not
//! declare entities, and its nesting is limited. Headers, footers, footnotes, comments and pictures are not read.
//!
//! `body.rs` reads the text, `styles.rs` finds headings.

mod body;
mod styles;
#[cfg(test)]
mod tests;

use std::io::{Cursor, Read};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use quick_xml::{NsReader, events::Event, name::ResolveResult};
use zip::{ZipArchive, result::ZipError};

use super::{COLUMNS, Error};

/// The parts that are read, with their largest inflated size.
const BODY: (&str, usize) = ("word/document.xml", 32 << 20);
const STYLES: (&str, usize) = ("word/styles.xml", 4 << 20);
const MAX_PARTS: usize = 4_096;
/// Largest nesting depth of XML elements.
const MAX_DEPTH: usize = 256;

/// Signature of an entry in the central directory of a ZIP file.
const ENTRY: &[u8] = b"PK\x01\x02";
/// Signature of a ZIP file.
const ZIP: &[u8] = b"PK";
/// Signature of legacy Office files and of encrypted documents.
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

pub(super) fn read(content: &str) -> Result<Vec<String>, Error> {
    let packed: Vec<u8> = content.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(packed).map_err(|_| {
        invalid(
            "The content is not base64. Send the bytes of the Word document in base64, with `=` at the end \
            where needed.",
        )
    })?;
    requirements(&bytes)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("content", message)
}

fn damaged() -> Error {
    invalid("The Word document is damaged. Open it in Word, save it, then send it again.")
}

fn requirements(bytes: &[u8]) -> Result<Vec<String>, Error> {
    if bytes.starts_with(OLE) {
        // Office stores an encrypted document in a legacy container, with this name in UTF-16.
        let name: Vec<u8> = "EncryptedPackage".bytes().flat_map(|byte| [byte, 0]).collect();
        let encrypted = bytes.windows(name.len()).any(|window| window == name);
        return Err(invalid(match encrypted {
            true => {
                "The document is protected by a password. Save it without a password, then send it again."
            }
            false => "The document has the legacy format `.doc`. Save it as `.docx`, then send it again.",
        }));
    }
    if !bytes.starts_with(ZIP) {
        return Err(invalid("This is not a Word document. Send a `.docx` file in base64."));
    }
    // Before the directory is parsed, which allocates memory for each entry.
    if bytes.windows(ENTRY.len()).filter(|window| *window == ENTRY).count() > MAX_PARTS {
        return Err(invalid(format!(
            "The document has more than {MAX_PARTS} parts. Remove its pictures, or send one chapter at a time."
        )));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| damaged())?;
    let body = read_part(&mut archive, BODY)?.ok_or_else(|| {
        invalid(
            "This ZIP file is not a Word document: it has no part `word/document.xml`. Send a `.docx` file.",
        )
    })?;
    // Without this part, style names alone identify headings.
    let styles = read_part(&mut archive, STYLES)?.unwrap_or_default();
    body::requirements(&body, &styles::Styles::read(&styles)?)
}

/// Inflates one part of a document; `None` if it is missing.
fn read_part(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    (name, most): (&str, usize),
) -> Result<Option<String>, Error> {
    let entry = match archive.by_name(name) {
        Ok(entry) => entry,
        Err(ZipError::FileNotFound) => return Ok(None),
        // The error of the `zip` crate for an encrypted entry.
        Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword) => {
            return Err(invalid(
                "The document is protected by a password. Save it without a password, then send it again.",
            ));
        }
        Err(_) => return Err(damaged()),
    };
    let mut text = Vec::new();
    // The size in the directory is untrusted.
    entry.take(most as u64 + 1).read_to_end(&mut text).map_err(|_| damaged())?;
    if text.len() > most {
        return Err(invalid(format!(
            "`{name}` of the document is larger than {} MB. Send one chapter at a time.",
            most >> 20
        )));
    }
    String::from_utf8(text).map(Some).map_err(|_| damaged())
}

/// Vocabulary of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    /// WordprocessingML, transitional or strict.
    Word,
    /// Alternate content for older programs.
    Compatibility,
    Math,
    Other,
}

enum Step<'a> {
    Begin(Language, Element<'a>),
    End,
    Text(String),
    Done,
}

struct Element<'a>(quick_xml::events::BytesStart<'a>);

impl Element<'_> {
    fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// Value of an attribute, with any prefix.
    fn value(&self, name: &str) -> Option<String> {
        let found = self
            .0
            .attributes()
            .with_checks(false)
            .flatten()
            .find(|it| it.key.local_name().into_inner() == name)?;
        found.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok().map(|value| value.into_owned())
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.value(name)?.parse().ok()
    }
}

/// Pull parser of an XML part, with limits.
struct Part<'a> {
    reader: NsReader<&'a [u8]>,
    depth: usize,
}

impl<'a> Part<'a> {
    fn new(text: &'a str) -> Self {
        let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}'));
        reader.config_mut().expand_empty_elements = true;
        Part { reader, depth: 0 }
    }

    fn step(&mut self) -> Result<Step<'a>, Error> {
        loop {
            let (space, event) = self.reader.read_resolved_event().map_err(|_| damaged())?;
            let language = match space {
                ResolveResult::Bound(space) => language(space.0),
                ResolveResult::Unbound | ResolveResult::Unknown(_) => Language::Other,
            };
            match event {
                Event::Start(element) => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(invalid(format!(
                            "Elements of the document are nested more than {MAX_DEPTH} deep. Open it in Word, \
                             save it, then send it again."
                        )));
                    }
                    return Ok(Step::Begin(language, Element(element)));
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Step::End);
                }
                Event::Text(text) => return Ok(Step::Text(text.xml10_content().into_owned())),
                Event::CData(text) => return Ok(Step::Text(text.xml10_content().into_owned())),
                Event::GeneralRef(named) => return reference(&named).map(Step::Text),
                // Word writes none; entity declarations allow exponential expansion.
                Event::DocType(_) => {
                    return Err(invalid(
                        "The document declares an XML document type, so it was not read. Open it in Word, save \
                         it, then send it again.",
                    ));
                }
                Event::Eof if self.depth > 0 => return Err(damaged()),
                Event::Eof => return Ok(Step::Done),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => (),
            }
        }
    }
}

/// Resolves a character reference such as `&amp;` or `&#38;`. Others cannot be declared.
fn reference(named: &quick_xml::events::BytesRef<'_>) -> Result<String, Error> {
    if let Some(character) = named.resolve_char_ref().map_err(|_| damaged())? {
        return Ok(character.to_string());
    }
    match &**named {
        "amp" => Ok("&".to_owned()),
        "lt" => Ok("<".to_owned()),
        "gt" => Ok(">".to_owned()),
        "quot" => Ok("\"".to_owned()),
        "apos" => Ok("'".to_owned()),
        _ => Err(damaged()),
    }
}

fn language(space: &str) -> Language {
    match space {
        "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
        | "http://purl.oclc.org/ooxml/wordprocessingml/main" => Language::Word,
        "http://schemas.openxmlformats.org/markup-compatibility/2006" => Language::Compatibility,
        "http://schemas.openxmlformats.org/officeDocument/2006/math"
        | "http://purl.oclc.org/ooxml/officeDocument/math" => Language::Math,
        _ => Language::Other,
    }
}
