//! Rendering of diagrams as SVG and PNG.

use blueprint::Element;
#[cfg(feature = "mermaid")]
use mermend::{
    Deadline, Engine,
    picture::{Drawing, Mark, Part, PictureError, PictureOptions, Theme},
};

use super::Error;
use crate::{app::App, pixel_budget::MEGAPIXELS};
#[cfg(feature = "mermaid")]
use crate::{check, cpu_pool::Use};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// With embedded fonts.
    Svg,
    /// For a page that loads the fonts itself.
    SvgForPage,
    /// Pixels per unit, 1 to 4.
    Png(f32),
}

impl Form {
    /// `scale` applies to PNG.
    pub fn parse(name: &str, scale: f32) -> Result<Self, Error> {
        if !(1.0..=4.0).contains(&scale) {
            return Err(Error::invalid("scale", format!("A scale of {scale} is not supported. Use 1 to 4.")));
        }
        match name {
            "svg" => Ok(Form::Svg),
            "png" => Ok(Form::Png(scale)),
            other => {
                let other: String = other.chars().take(40).collect();
                Err(Error::invalid(
                    "format",
                    format!("`{other}` is not a picture format of this version. Use svg or png."),
                ))
            }
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Form::Svg | Form::SvgForPage => "image/svg+xml",
            Form::Png(_) => "image/png",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Request {
    pub code: String,
    /// `light` or `dark`.
    pub theme: String,
    /// Elements to annotate in the picture.
    pub elements: Vec<Element>,
}

#[derive(Debug, Clone, Default)]
pub struct Picture {
    pub bytes: Vec<u8>,
    /// Pixels per unit of a PNG.
    pub scale: Option<f32>,
    /// The scale is lower than requested, because of the pixel limit.
    pub reduced: bool,
    /// Scripts of a PNG that no font has: their characters are boxes.
    pub missing_scripts: Vec<&'static str>,
}

impl Picture {
    /// Sentences about a reduced scale and about characters that are not drawn.
    pub fn note(&self) -> Option<String> {
        let reduced = self.scale.filter(|_| self.reduced).map(|scale| {
            format!(
                "The picture has {scale:.2} pixels for each unit, fewer than requested, because a PNG has at most \
                 {MEGAPIXELS} megapixels. Use svg, or split the diagram."
            )
        });
        let missing = (!self.missing_scripts.is_empty()).then(|| {
            format!(
                "Some characters are drawn as boxes, because no font on this machine has them: {}. Install a font \
                 that has them where pictures are drawn (Noto has all of them), or use svg and a viewer that has one.",
                self.missing_scripts.join(", ")
            )
        });
        let sentences: Vec<String> = reduced.into_iter().chain(missing).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }
}

/// Renders a diagram in each of the formats.
#[cfg(feature = "mermaid")]
pub async fn draw(app: &App, request: Request, forms: Vec<Form>) -> Result<Vec<Picture>, Error> {
    let theme = Theme::parse(&request.theme).ok_or_else(|| {
        let theme: String = request.theme.chars().take(40).collect();
        Error::invalid("theme", format!("There is no theme `{theme}`. Use light or dark."))
    })?;
    if request.code.trim().is_empty() {
        return Err(Error::invalid("code", "There is no diagram: `code` is empty. Send the Mermaid text."));
    }
    // What Mermaid does not accept is not drawn, whatever the renderer makes of it.
    let judged = check::check_in_process(app, request.code.clone(), Engine::Mermaid).await?.checked;
    if judged.verdict() == "invalid" {
        let why = judged.findings.first().map_or_else(String::new, |finding| {
            format!("line {}: {}", finding.span.line, finding.message.trim_end_matches('.'))
        });
        return Err(PictureError::NotDrawable(why).into());
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
        // Rasterized one after the other: concurrent pictures share one memory budget.
        let pixels = match form {
            Form::Png(scale) => Some(app.pixels.reserve(drawing.png_size(scale).pixels(), &deadline).await?),
            Form::Svg | Form::SvgForPage => None,
        };
        let write = move |deadline: &Deadline| {
            let picture = render(&drawing, form, deadline);
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
fn render(drawing: &Drawing, form: Form, deadline: &Deadline) -> Result<Picture, PictureError> {
    Ok(match form {
        Form::Svg => Picture { bytes: drawing.svg()?.into_bytes(), ..Picture::default() },
        Form::SvgForPage => Picture { bytes: drawing.svg_for_page()?.into_bytes(), ..Picture::default() },
        Form::Png(scale) => {
            let size = drawing.png_size(scale);
            let bytes = drawing.png(size, deadline)?;
            let missing_scripts = drawing.missing_scripts().to_vec();
            Picture { bytes, scale: Some(size.scale), reduced: size.reduced, missing_scripts }
        }
    })
}

/// Reports that this build cannot render.
#[cfg(not(feature = "mermaid"))]
pub async fn draw(_app: &App, _request: Request, _forms: Vec<Form>) -> Result<Vec<Picture>, Error> {
    Err(Error::Unavailable(
        "This program was built without pictures. Build it with the feature `mermaid`.".to_owned(),
    ))
}

pub async fn draw_one(app: &App, request: Request, form: Form) -> Result<Picture, Error> {
    Ok(draw(app, request, vec![form]).await?.pop().unwrap_or_default())
}

/// Links between the elements and the parts of the picture.
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
                // The id of a relationship, `from to n`.
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
