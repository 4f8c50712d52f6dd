//! Pictures of diagrams.

use blueprint::Element;
#[cfg(feature = "mermaid")]
use mermend::{
    Deadline,
    picture::{Drawing, Mark, Part, PictureError, PictureOptions, Theme},
};

use super::Error;
#[cfg(feature = "mermaid")]
use crate::cpu_pool::Use;
use crate::{app::App, pixel_budget::MEGAPIXELS};

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

/// A finished picture.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// The file.
    pub bytes: Vec<u8>,
    /// Pixels for each unit, of a PNG.
    pub scale: Option<f32>,
    /// The scale is smaller than the one that was asked for, because the picture would have had too many pixels.
    pub reduced: bool,
}

impl Picture {
    /// What to know about it, in a sentence.
    pub fn note(&self) -> Option<String> {
        let scale = self.scale.filter(|_| self.reduced)?;
        Some(format!(
            "The picture has {scale:.2} pixels for each unit, fewer than asked for, because a PNG has at most {} megapixels. Use svg, or split the diagram.",
            MEGAPIXELS
        ))
    }
}

/// Draws a picture once, in each of these forms.
///
/// # Errors
/// When the text is no diagram, too large to draw, or not drawn in time.
#[cfg(feature = "mermaid")]
pub async fn draw(app: &App, request: Request, forms: Vec<Form>) -> Result<Vec<Picture>, Error> {
    let theme = Theme::parse(&request.theme).ok_or_else(|| {
        let theme: String = request.theme.chars().take(40).collect();
        Error::invalid("theme", format!("There is no theme `{theme}`; use light or dark."))
    })?;
    if request.code.trim().is_empty() {
        return Err(Error::invalid("code", "There is no diagram: `code` is empty. Send the Mermaid text."));
    }
    let deadline = Deadline::after(app.config.picture_time());
    let size_bytes = request.code.len();
    let lay_out = move |deadline: &Deadline| {
        let options = PictureOptions { theme, marks: marks(&request.elements), ..PictureOptions::default() };
        Drawing::new(&request.code, options, deadline)
    };
    let mut drawing = app.cpu.run(Use::Processor, size_bytes, deadline.clone(), lay_out).await??;
    let mut pictures = Vec::with_capacity(forms.len());
    for form in forms {
        // Pixels are painted one picture after the other: all that are painted at once share the memory of the largest.
        let pixels = match form {
            Form::Png(scale) => Some(app.pixels.reserve(drawing.png_size(scale).pixels(), &deadline).await?),
            Form::Svg | Form::SvgForPage => None,
        };
        let write = move |deadline: &Deadline| {
            let picture = written(&drawing, form, deadline);
            drop(pixels);
            (drawing, picture)
        };
        let (back, picture) = app.cpu.run(Use::Processor, size_bytes, deadline.clone(), write).await?;
        drawing = back;
        pictures.push(picture?);
    }
    Ok(pictures)
}

#[cfg(feature = "mermaid")]
fn written(drawing: &Drawing, form: Form, deadline: &Deadline) -> Result<Picture, PictureError> {
    Ok(match form {
        Form::Svg => Picture { bytes: drawing.svg()?.into_bytes(), ..Picture::default() },
        Form::SvgForPage => Picture { bytes: drawing.svg_for_page()?.into_bytes(), ..Picture::default() },
        Form::Png(scale) => {
            let size = drawing.png_size(scale);
            let bytes = drawing.png(size, deadline)?;
            Picture { bytes, scale: Some(size.scale), reduced: size.reduced }
        }
    })
}

/// Draws a picture, in a build that can.
///
/// # Errors
/// Always: this build has no pictures.
#[cfg(not(feature = "mermaid"))]
pub async fn draw(_app: &App, _request: Request, _forms: Vec<Form>) -> Result<Vec<Picture>, Error> {
    Err(Error::Unavailable(
        "This program was built without pictures. Build it with the feature `mermaid`.".to_owned(),
    ))
}

/// Draws a picture in one form.
///
/// # Errors
/// As [`draw`].
pub async fn draw_one(app: &App, request: Request, form: Form) -> Result<Picture, Error> {
    Ok(draw(app, request, vec![form]).await?.pop().unwrap_or_default())
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
