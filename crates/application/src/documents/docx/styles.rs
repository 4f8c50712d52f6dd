//! Headings and page furniture, by paragraph style.
//!
//! Word stores the English names of built-in styles in every language; their ids are localized: a German heading has
//! the id `berschrift1`.

use std::collections::HashMap;

use super::{Error, Language, Part, Step, invalid};

/// Longest chain of base styles.
const MAX_BASES: usize = 32;
/// Word's own styles are about 400.
pub(super) const MAX_STYLES: usize = 10_000;
/// Styles of text that is not content, without spaces.
const FURNITURE: [&str; 7] =
    ["title", "subtitle", "caption", "header", "footer", "tableoffigures", "tableofauthorities"];

#[derive(Debug, Default)]
struct Style {
    name: String,
    based_on: Option<String>,
    outline: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Styles(HashMap<String, Style>);

impl Styles {
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let mut styles = HashMap::new();
        let mut open: Option<(String, Style)> = None;
        // Names of the open elements, outermost first.
        let mut path: Vec<String> = Vec::new();
        let mut part = Part::new(text);
        loop {
            match part.step()? {
                Step::Begin(language, element) => {
                    let name = if language == Language::Word { element.name() } else { "" };
                    let parent = path.last().map_or("", String::as_str);
                    match (&mut open, parent, name) {
                        (None, "styles", "style") => {
                            open = Some((element.value("styleId").unwrap_or_default(), Style::default()));
                        }
                        (Some((_, style)), "style", "name") => {
                            style.name = element.value("val").unwrap_or_default();
                        }
                        (Some((_, style)), "style", "basedOn") => style.based_on = element.value("val"),
                        (Some((_, style)), "pPr", "outlineLvl") if path.len() == 3 => {
                            style.outline = element.number("val");
                        }
                        _ => (),
                    }
                    path.push(name.to_owned());
                }
                Step::End => {
                    path.pop();
                    if path.len() == 1
                        && let Some((id, style)) = open.take()
                    {
                        styles.insert(id, style);
                        if styles.len() > MAX_STYLES {
                            return Err(invalid(format!(
                                "The document has more than {MAX_STYLES} styles. Copy its text into a new \
                                 document, then send that."
                            )));
                        }
                    }
                }
                Step::Text(_) => (),
                Step::Done => return Ok(Styles(styles)),
            }
        }
    }

    /// Whether a paragraph of this style and outline level is no requirement.
    pub(super) fn is_furniture(&self, style: Option<&str>, outline: Option<usize>) -> bool {
        let mut outline = outline;
        let mut next = style;
        for _ in 0..MAX_BASES {
            let Some(id) = next else { break };
            let style = self.0.get(id);
            let name = style.map(|style| style.name.as_str()).filter(|name| !name.is_empty()).unwrap_or(id);
            if is_furniture_style(name) {
                return true;
            }
            outline = outline.or(style.and_then(|style| style.outline));
            next = style.and_then(|style| style.based_on.as_deref());
        }
        // Outline level 9 is body text.
        outline.is_some_and(|level| level < 9)
    }
}

fn is_furniture_style(name: &str) -> bool {
    let name: String = name.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let list =
        |rest: &str| rest == "heading" || (!rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    name.starts_with("heading")
        || FURNITURE.contains(&name.as_str())
        || name.strip_prefix("toc").is_some_and(list)
        || name.strip_prefix("index").is_some_and(list)
}
