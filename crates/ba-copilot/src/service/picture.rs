//! Pictures of diagrams.

use blueprint::Element;
#[cfg(feature = "mermaid")]
use mermend::picture::{self, Mark, Part, PictureOptions, Theme};

use super::Error;
#[cfg(feature = "mermaid")]
use super::check::blocking;

/// What kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Vector, as text.
    Svg,
    /// Pixels.
    Png,
}

impl Format {
    /// The format of this name.
    ///
    /// # Errors
    /// When there is no such format.
    pub fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "svg" => Ok(Format::Svg),
            "png" => Ok(Format::Png),
            other => Err(Error::invalid(
                "format",
                format!("`{other}` is not a picture format of this version; use svg or png."),
            )),
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Svg => "image/svg+xml",
            Format::Png => "image/png",
        }
    }
}

/// How a picture is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The Mermaid text.
    pub code: String,
    /// What kind of file.
    pub format: Format,
    /// `light` or `dark`.
    pub theme: String,
    /// Pixels for each unit, for PNG: 1 to 4.
    pub scale: f32,
    /// The fonts stand in the SVG.
    pub embed_fonts: bool,
    /// Parts to mark with blueprint elements.
    pub elements: Vec<Element>,
}

/// Draws a picture.
///
/// # Errors
/// When the text is no diagram, or too large to draw.
#[cfg(feature = "mermaid")]
pub async fn draw(request: Request) -> Result<Vec<u8>, Error> {
    let theme = Theme::parse(&request.theme).ok_or_else(|| {
        Error::invalid("theme", format!("There is no theme `{}`; use light or dark.", request.theme))
    })?;
    if !(1.0..=4.0).contains(&request.scale) {
        return Err(Error::invalid(
            "scale",
            format!("A scale of {} cannot be drawn; use 1 to 4.", request.scale),
        ));
    }
    if request.code.trim().is_empty() {
        return Err(Error::invalid("code", "There is no diagram: `code` is empty. Send the Mermaid text."));
    }
    let bytes = blocking(move || {
        let marks = marks(&request.elements);
        let options = PictureOptions {
            theme,
            scale: request.scale,
            embed_fonts: request.embed_fonts,
            marks: &marks,
            ..PictureOptions::default()
        };
        match request.format {
            Format::Svg => picture::svg(&request.code, &options).map(String::into_bytes),
            Format::Png => picture::png(&request.code, &options),
        }
    });
    Ok(bytes.await??)
}

/// Draws a picture, in a build that can.
///
/// # Errors
/// Always: this build has no pictures.
#[cfg(not(feature = "mermaid"))]
pub async fn draw(_request: Request) -> Result<Vec<u8>, Error> {
    Err(Error::Unavailable(
        "This program was built without pictures. Build it with the feature `mermaid`.".to_owned(),
    ))
}

/// Which part of the picture shows which element.
#[cfg(feature = "mermaid")]
fn marks(elements: &[Element]) -> Vec<Mark> {
    use blueprint::ElementKind;
    let mut ordinal = 0;
    let mut rows = std::collections::HashMap::<(&str, bool), usize>::new();
    let mut marks = Vec::with_capacity(elements.len());
    for element in elements {
        let part = match element.kind {
            ElementKind::Class | ElementKind::Actor | ElementKind::UseCase | ElementKind::Node => {
                Part::Node(element.mermaid_id.clone())
            }
            ElementKind::Attribute | ElementKind::Literal | ElementKind::Method => {
                let method = element.kind == ElementKind::Method;
                let index = rows.entry((&element.mermaid_id, method)).or_default();
                *index += 1;
                Part::Row { node: element.mermaid_id.clone(), index: *index - 1, method }
            }
            ElementKind::Relationship | ElementKind::Link | ElementKind::Edge => {
                // `from to n`, as the compiler writes it.
                let mut words = element.mermaid_id.split(' ');
                let (Some(from), Some(to), Some(nth)) =
                    (words.next(), words.next(), words.next().and_then(|n| n.parse().ok()))
                else {
                    continue;
                };
                ordinal += 1;
                Part::Edge { from: from.to_owned(), to: to.to_owned(), nth, ordinal: ordinal - 1 }
            }
        };
        marks.push(Mark { element: element.id.clone(), part });
    }
    marks
}
