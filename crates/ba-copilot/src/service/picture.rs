//! Pictures of diagrams.

use blueprint::Element;
#[cfg(feature = "mermaid")]
use mermend::picture::{Drawing, Mark, Part, PictureOptions, Theme};

use super::Error;
#[cfg(feature = "mermaid")]
use super::check::blocking;

/// A form that is wanted of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// Vector, as text that carries its fonts.
    Svg,
    /// Vector, for a page that has the fonts.
    SvgForPage,
    /// Pixels, 1 to 4 for each unit.
    Png(f32),
}

impl Form {
    /// The form of this name; `scale` is for pixels.
    ///
    /// # Errors
    /// When there is no such form, or the scale is out of bounds.
    pub fn parse(name: &str, scale: f32) -> Result<Self, Error> {
        if !(1.0..=4.0).contains(&scale) {
            return Err(Error::invalid("scale", format!("A scale of {scale} cannot be drawn; use 1 to 4.")));
        }
        match name {
            "svg" => Ok(Form::Svg),
            "png" => Ok(Form::Png(scale)),
            other => {
                let other: String = other.chars().take(40).collect();
                Err(Error::invalid(
                    "format",
                    format!("`{other}` is not a picture format of this version; use svg or png."),
                ))
            }
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Form::Svg | Form::SvgForPage => "image/svg+xml",
            Form::Png(_) => "image/png",
        }
    }
}

/// What is to be drawn.
#[derive(Debug, Clone)]
pub struct Request {
    /// The Mermaid text.
    pub code: String,
    /// `light` or `dark`.
    pub theme: String,
    /// Parts to mark with blueprint elements.
    pub elements: Vec<Element>,
}

/// Draws a picture once, in each of these forms.
///
/// # Errors
/// When the text is no diagram, or too large to draw.
#[cfg(feature = "mermaid")]
pub async fn draw(request: Request, forms: Vec<Form>) -> Result<Vec<Vec<u8>>, Error> {
    let theme = Theme::parse(&request.theme).ok_or_else(|| {
        let theme: String = request.theme.chars().take(40).collect();
        Error::invalid("theme", format!("There is no theme `{theme}`; use light or dark."))
    })?;
    if request.code.trim().is_empty() {
        return Err(Error::invalid("code", "There is no diagram: `code` is empty. Send the Mermaid text."));
    }
    let pictures = blocking(move || {
        let marks = marks(&request.elements);
        let drawing =
            Drawing::of(&request.code, PictureOptions { theme, marks: &marks, ..PictureOptions::default() })?;
        let one = |form| match form {
            Form::Svg => drawing.svg().map(String::into_bytes),
            Form::SvgForPage => drawing.svg_for_page().map(String::into_bytes),
            Form::Png(scale) => drawing.png(scale),
        };
        forms.into_iter().map(one).collect::<Result<Vec<_>, _>>()
    });
    Ok(pictures.await??)
}

/// Draws a picture, in a build that can.
///
/// # Errors
/// Always: this build has no pictures.
#[cfg(not(feature = "mermaid"))]
pub async fn draw(_request: Request, _forms: Vec<Form>) -> Result<Vec<Vec<u8>>, Error> {
    Err(Error::Unavailable(
        "This program was built without pictures. Build it with the feature `mermaid`.".to_owned(),
    ))
}

/// Draws a picture in one form.
///
/// # Errors
/// As [`draw`].
pub async fn draw_one(request: Request, form: Form) -> Result<Vec<u8>, Error> {
    Ok(draw(request, vec![form]).await?.pop().unwrap_or_default())
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
