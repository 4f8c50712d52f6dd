//! Pictures: SVG and PNG, drawn by merman, measured and painted with the shipped fonts.
//!
//! The only module that draws. What it returns holds no script, no event attribute and no address outside itself: see
//! `clean.rs`. Text is drawn as SVG text, never as HTML, so that a picture looks the same in a browser, in Word and as
//! PNG. The shipped fonts are in `fonts.rs`.

mod clean;
mod css;
mod error;
mod faces;
mod fonts;
mod ids;
mod labels;
mod measure;
mod options;
mod paint;
mod shape;
#[cfg(test)]
mod tests;
mod text_place;
mod text_plan;

use std::{panic, sync::OnceLock};

use merman::{
    MermaidEngine, ParseOptions, RenderError, RenderOutput, RenderRequest, Renderer,
    SourcePresentationConfig, SvgRequest, svg::SvgRenderOptions,
};
use resvg::usvg;
use sha2::{Digest, Sha256};

use crate::{deadline::Deadline, drawable::text_to_draw, engines::fast_bounds, group_direction};
use clean::{Job, Place};
use text_plan::TextPlans;

pub use error::PictureError;
pub use fonts::{Font, web_fonts};
pub use measure::Fonts;
pub use options::{Mark, Part, PictureOptions, Theme};
pub use paint::{MAX_PIXELS, PngSize};

/// Larger texts are checked but not drawn: layout takes more than linear time.
const MAX_TEXT_BYTES: usize = 200_000;

/// A diagram that was laid out: the costly part, done once for every form that is wanted of it.
pub struct Drawing {
    options: PictureOptions,
    /// What the ids in the SVG begin with.
    id: String,
    drawn: String,
    /// The frame that holds all that is drawn, where it is wider than the one of the layout.
    frame: Option<[f64; 4]>,
    /// What a painter sees, in the frame of the layout.
    tree: usvg::Tree,
    plans: TextPlans,
}

impl Drawing {
    /// Lays out `text` within the deadline.
    ///
    /// # Errors
    /// When the text is not a diagram, too large to draw, or not drawn in time.
    pub fn new(text: &str, options: PictureOptions, deadline: &Deadline) -> Result<Self, PictureError> {
        let id = id(text, options.theme);
        let drawn = render(text, &id, &options, deadline)?;
        if deadline.exceeded() {
            return Err(PictureError::TooSlow);
        }
        let job = Job { marks: &options.marks, id: &id, frame: None, place: Place::Painter, plans: None };
        let read = clean::clean(&drawn, &job).map_err(PictureError::Failed)?;
        let tree = paint::tree(&read, &[]).map_err(PictureError::Failed)?;
        let plans = TextPlans::new(&tree, &options.fonts.shaper);
        let frame = clean::view_box(&drawn)
            .zip(plans.bounds)
            .and_then(|(view_box, drawn)| paint::wider_frame(drawn, view_box));
        Ok(Drawing { options, id, drawn, frame, tree, plans })
    }

    /// The scripts of its text that no font has: a PNG shows boxes in place of their characters. A viewer of the SVG
    /// may have a font.
    pub fn missing_scripts(&self) -> &[&'static str] {
        &self.plans.missing
    }

    /// As SVG for a file: it carries its fonts, so that it looks right where they are not installed.
    ///
    /// # Errors
    /// When the layout is not the SVG that was expected (a defect).
    pub fn svg(&self) -> Result<String, PictureError> {
        self.written(Place::File)
    }

    /// As SVG for a page that has the fonts of [`web_fonts`].
    ///
    /// # Errors
    /// When the layout is not the SVG that was expected (a defect).
    pub fn svg_for_page(&self) -> Result<String, PictureError> {
        self.written(Place::Page)
    }

    /// The size of the PNG with 1 to 4 pixels for each unit, or fewer where it would have more than [`MAX_PIXELS`].
    pub fn png_size(&self, scale: f32) -> PngSize {
        let size = match self.frame {
            Some([.., width, height]) => (width as f32, height as f32),
            None => (self.tree.size().width(), self.tree.size().height()),
        };
        PngSize::fit(size, scale.clamp(1.0, 4.0))
    }

    /// As PNG of this size: exactly what [`Drawing::svg`] shows.
    ///
    /// # Errors
    /// When the painter cannot paint it, or not in time.
    pub fn png(&self, size: PngSize, deadline: &Deadline) -> Result<Vec<u8>, PictureError> {
        if deadline.exceeded() {
            return Err(PictureError::TooSlow);
        }
        let ground = match self.options.theme {
            Theme::Light => [0xff, 0xff, 0xff],
            Theme::Dark => [0x0f, 0x17, 0x2a],
        };
        if self.frame.is_none() && !self.plans.has_parts() {
            return paint::png(&self.tree, size, ground).map_err(PictureError::Failed);
        }
        self.written(Place::Painter).and_then(|svg| {
            let tree = paint::tree(&svg, &self.plans.faces);
            tree.and_then(|tree| paint::png(&tree, size, ground)).map_err(PictureError::Failed)
        })
    }

    fn written(&self, place: Place) -> Result<String, PictureError> {
        let (marks, id) = (self.options.marks.as_slice(), self.id.as_str());
        let job = Job { marks, id, frame: self.frame, place, plans: Some(&self.plans) };
        clean::clean(&self.drawn, &job).map_err(PictureError::Failed)
    }
}

/// The same for the same picture, and another for any other, so that pictures in one page share no ids.
fn id(text: &str, theme: Theme) -> String {
    let mut hash = Sha256::new();
    hash.update([theme as u8]);
    hash.update(text);
    hash.finalize().iter().take(6).fold("diagram-".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

fn render(
    text: &str,
    id: &str,
    options: &PictureOptions,
    deadline: &Deadline,
) -> Result<String, PictureError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(PictureError::TooLarge(format!(
            "the text has {} bytes, at most {MAX_TEXT_BYTES} are drawn",
            text.len()
        )));
    }
    if fast_bounds::admit(text).is_err() {
        return Err(PictureError::TooLarge("a line is too long, or it nests too deep".to_owned()));
    }
    let renderer = renderer(options.theme);
    let request = SvgRequest {
        environment: options
            .fonts
            .environment
            .clone()
            .ok_or_else(|| PictureError::Failed("the shipped fonts did not load".to_owned()))?,
        options: SvgRenderOptions { diagram_id: Some(id.to_owned()), ..SvgRenderOptions::default() },
        ..SvgRequest::default()
    };
    let drawable = text_to_draw(text);
    let text = group_direction::stacked(drawable.as_ref(), deadline);
    let request = RenderRequest::svg(&*text, deadline.control(), request);
    match panic::catch_unwind(panic::AssertUnwindSafe(|| renderer.render(request))) {
        // What the layout does for painters beyond that, `clean.rs` does too.
        Ok(Ok(RenderOutput::Svg(Some(output)))) => {
            labels::to_text(output.svg(), &options.fonts.shaper).map_err(PictureError::Failed)
        }
        Ok(Ok(_)) => Err(PictureError::NotDrawable("there is no diagram in the text".to_owned())),
        Ok(Err(error)) => Err(picture_error(&error)),
        Err(_) => Err(PictureError::Failed("the renderer gave up on it".to_owned())),
    }
}

fn picture_error(error: &RenderError) -> PictureError {
    let message = error.to_string();
    let message = message.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
    match error {
        RenderError::Cancelled(_) => PictureError::TooSlow,
        RenderError::ResourceLimitExceeded(_) => PictureError::TooLarge(message),
        _ => PictureError::NotDrawable(message),
    }
}

fn renderer(theme: Theme) -> &'static Renderer {
    static LIGHT: OnceLock<Renderer> = OnceLock::new();
    static DARK: OnceLock<Renderer> = OnceLock::new();
    let (cell, variables, dark) = match theme {
        Theme::Light => (
            &LIGHT,
            [
                "#eef4ff", "#4a6fa5", "#1b2a41", "#4a5568", "#fff7e6", "#f7f9fc", "#ffffff", "#fbfcfe",
                "#9fb3c8",
            ],
            false,
        ),
        Theme::Dark => (
            &DARK,
            [
                "#1e293b", "#7aa2d8", "#e6edf7", "#a7b4c6", "#3b2f14", "#172033", "#0f172a", "#131c2e",
                "#475569",
            ],
            true,
        ),
    };
    cell.get_or_init(|| {
        let [primary, border, text, line, secondary, tertiary, behind_labels, cluster, cluster_border] = variables;
        let site = SourcePresentationConfig::from_value(serde_json::json!({
            // What a diagram may not change: text is measured with the shipped fonts, and no style names an address.
            "secure": ["secure", "securityLevel", "startOnLoad", "maxTextSize", "suppressErrorRendering", "maxEdges",
                       "fontFamily", "altFontFamily", "themeCSS", "layout", "look", "dompurifyConfig"],
            "theme": "base", "look": "classic", "layout": "dagre", "fontFamily": fonts::STACK, "htmlLabels": true,
            "flowchart": {"htmlLabels": true},
            "themeVariables": {
                "darkMode": dark, "fontFamily": fonts::STACK, "background": behind_labels,
                "primaryColor": primary, "primaryBorderColor": border, "primaryTextColor": text, "lineColor": line,
                "secondaryColor": secondary, "tertiaryColor": tertiary, "edgeLabelBackground": behind_labels,
                "clusterBkg": cluster, "clusterBorder": cluster_border, "titleColor": text, "textColor": text,
            },
        }));
        Renderer::new()
            .with_presentation_engine(MermaidEngine::new().with_site_config(site))
            .with_parse_options(ParseOptions::strict())
    })
}
