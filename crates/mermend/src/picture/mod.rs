//! Pictures: SVG and PNG, drawn by merman, measured and painted with the shipped fonts.
//!
//! The only module that draws. What it returns holds no script, no event attribute and no address outside itself: see
//! `clean.rs`. Text is drawn as SVG text, never as HTML, so that a picture looks the same in a browser, in Word and as
//! PNG. The shipped fonts are in `fonts.rs`.

mod clean;
mod css;
mod error;
mod fonts;
mod options;
mod paint;

use std::{panic, sync::OnceLock};

use merman::{
    MermaidEngine, OperationControl, ParseOptions, RenderError, RenderOutput, RenderRequest, Renderer,
    SourcePresentationConfig, SvgEnvironment, SvgRequest,
    svg::{SvgPipeline, SvgRenderOptions, export::NativeFontContext},
};
use resvg::usvg;

use crate::{deadline::Deadline, drawable::text_to_draw, engines::fast_bounds};
use clean::Place;

pub use error::PictureError;
pub use fonts::{Font, web_fonts};
pub use options::{Mark, Part, PictureOptions, Theme};
pub use paint::{MAX_PIXELS, PngSize};

/// Larger texts are checked but not drawn: layout takes more than linear time.
const MAX_TEXT_BYTES: usize = 200_000;

/// A diagram that was laid out: the costly part, done once for every form that is wanted of it.
pub struct Drawing {
    options: PictureOptions,
    drawn: String,
    /// The frame that holds all that is drawn, where it is wider than the one of the layout.
    frame: Option<[f64; 4]>,
    /// What a painter sees, in the frame of the layout.
    tree: usvg::Tree,
}

impl Drawing {
    /// Lays out `text` within the deadline.
    ///
    /// # Errors
    /// When the text is not a diagram, too large to draw, or not drawn in time.
    pub fn new(text: &str, options: PictureOptions, deadline: &Deadline) -> Result<Self, PictureError> {
        let drawn = render(text, &options, deadline)?;
        if deadline.exceeded() {
            return Err(PictureError::TooSlow);
        }
        let tree = clean::clean(&drawn, &options, None, Place::Painter)
            .and_then(|svg| paint::tree(&svg))
            .map_err(PictureError::Failed)?;
        let frame = clean::view_box(&drawn).and_then(|view_box| paint::wider_frame(&tree, view_box));
        Ok(Drawing { options, drawn, frame, tree })
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
        match self.frame {
            None => paint::png(&self.tree, size, ground),
            Some(_) => clean::clean(&self.drawn, &self.options, self.frame, Place::Painter)
                .and_then(|svg| paint::png(&paint::tree(&svg)?, size, ground)),
        }
        .map_err(PictureError::Failed)
    }

    fn written(&self, place: Place) -> Result<String, PictureError> {
        clean::clean(&self.drawn, &self.options, self.frame, place).map_err(PictureError::Failed)
    }
}

fn render(text: &str, options: &PictureOptions, deadline: &Deadline) -> Result<String, PictureError> {
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
        environment: environment()
            .clone()
            .ok_or_else(|| PictureError::Failed("the shipped fonts did not load".to_owned()))?,
        options: SvgRenderOptions { diagram_id: Some(options.id.clone()), ..SvgRenderOptions::default() },
        pipeline: Some(SvgPipeline::resvg_safe()),
        ..SvgRequest::default()
    };
    let drawable = text_to_draw(text);
    let request = RenderRequest::svg(drawable.as_ref(), deadline.control(), request);
    match panic::catch_unwind(panic::AssertUnwindSafe(|| renderer.render(request))) {
        Ok(Ok(RenderOutput::Svg(Some(output)))) => Ok(output.svg().to_owned()),
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

/// Fonts are loaded once; a clone shares them.
fn environment() -> &'static Option<SvgEnvironment> {
    static ENVIRONMENT: OnceLock<Option<SvgEnvironment>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let fonts = NativeFontContext::from_font_bytes(
            fonts::open_type().map(|(bytes, _)| bytes),
            Default::default(),
            &OperationControl::new(),
        )
        .ok()?;
        SvgEnvironment::deterministic().with_native_font_context(fonts).ok()
    })
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
