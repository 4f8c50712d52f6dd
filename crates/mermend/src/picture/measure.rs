//! Measures text for the layout, with the fonts that it is painted with.

use std::{
    borrow::Cow,
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use merman::{
    SvgEnvironment,
    svg::{
        HostMeasurementResult, HostTextMeasurement, HostTextMeasurementRequest, HostTextMeasurer,
        MeasurementProfileId, TextMeasurementOperation, TextMeasurementPhase, TextMeasurementPolicy,
        TextMeasurementProfileIdentity, TextMetrics, TextStyle, WrapMode,
    },
};
use merman_render::text::{split_html_br_lines, try_measure_wrapped_text_with_line_metrics};

use super::{
    faces::{self, MoreFonts},
    shape::{Line, Shaper},
};

/// Longer texts are measured by estimate.
const MAX_BYTES: usize = 64 << 10;

/// The fonts of pictures: the shipped ones, and others for characters that these lack.
#[derive(Debug)]
pub struct Fonts {
    pub(super) shaper: Arc<Shaper>,
    pub(super) environment: Option<SvgEnvironment>,
}

impl Fonts {
    fn new(more: MoreFonts) -> Arc<Self> {
        let shaper = Arc::new(Shaper::new(more));
        let environment = environment(Arc::clone(&shaper));
        Arc::new(Fonts { shaper, environment })
    }

    /// With the fonts of the system.
    pub fn system() -> Arc<Self> {
        static SYSTEM: LazyLock<Arc<Fonts>> = LazyLock::new(|| Fonts::new(MoreFonts::new(None, true)));
        Arc::clone(&SYSTEM)
    }

    /// With the fonts of a folder, and none of the system.
    pub fn of_folder(folder: PathBuf) -> Arc<Self> {
        Fonts::new(MoreFonts::new(Some(folder), false))
    }
}

fn environment(shaper: Arc<Shaper>) -> Option<SvgEnvironment> {
    let identity =
        TextMeasurementProfileIdentity::new(MeasurementProfileId::new("pictures").ok()?, "1").ok()?;
    let policy =
        TextMeasurementPolicy::host_display(identity, Arc::new(Measurer(shaper)), TextMeasurementPhase::ALL);
    Some(SvgEnvironment::deterministic().with_text_measurement_policy(policy))
}

struct Measurer(Arc<Shaper>);

impl HostTextMeasurer for Measurer {
    fn measure(&self, request: HostTextMeasurementRequest<'_>) -> HostMeasurementResult {
        let size = request.style.font_size;
        if !size.is_finite() || size <= 0.0 || request.text.len() > MAX_BYTES {
            return Ok(None);
        }
        Ok(Some(self.answer(&request, size)))
    }
}

impl Measurer {
    fn answer(&self, request: &HostTextMeasurementRequest<'_>, size: f64) -> HostTextMeasurement {
        use HostTextMeasurement::{HorizontalExtents, Length, Metrics};
        use TextMeasurementOperation as Op;
        let html = request.wrap_mode == WrapMode::HtmlLike;
        let metrics = |text: &str| {
            let line =
                self.line(text, request.style, html || request.operation == Op::CanvasMeasureTextWidth);
            line.map_or(Extent::default(), |line| Extent::new(&line, size))
        };
        let of_text = || metrics(request.text);
        // These are drawn without the line breaks that were written.
        let of_one_line = || metrics(&split_html_br_lines(request.text).join(" "));
        match request.operation {
            Op::Measure | Op::Wrapped => Metrics(self.wrapped(request, size).0),
            Op::WrappedWithRawWidth => {
                let (metrics, raw_width) = self.wrapped(request, size);
                HostTextMeasurement::WrappedWithRawWidth { metrics, raw_width }
            }
            Op::MermaidCalculateTextDimensions => {
                let extent = of_one_line();
                Metrics(TextMetrics { width: extent.width, height: extent.height, line_count: 1 })
            }
            Op::SimpleBBoxWidth => Length(of_one_line().width),
            Op::SimpleBBoxHeight => Length(of_one_line().height),
            Op::BBoxX => {
                let half = of_text().width / 2.0;
                HorizontalExtents { left: half, right: half }
            }
            Op::BBoxXWithAsciiOverhang | Op::TitleBBoxX => {
                let extent = of_text();
                let half = extent.width / 2.0;
                HorizontalExtents { left: half - extent.ink.0, right: extent.ink.1 - half }
            }
            Op::ComputedLength
            | Op::CanvasMeasureTextWidth
            | Op::RawBBoxWidth
            | Op::TspanBBoxWidth
            | Op::WrapProbeBBoxWidth
            | Op::BoundingClientRectWidth => Length(of_text().width),
            Op::RawBBoxHeight | Op::TspanBBoxHeight => Length(of_text().height),
            Op::HtmlLineHeight => {
                let empty = request.text.bytes().all(|byte| byte.is_ascii_whitespace());
                Length(if empty { 0.0 } else { size * 1.5 })
            }
            Op::RawBBoxYOffset => Length(-of_text().ascent),
            Op::RawMiddleBBoxYOffset => Length(faces::middle() * size - of_text().ascent),
            Op::RawHangingBBoxYOffset => Length(faces::hanging() * size - of_text().ascent),
            // The second line of such a text is at `y="-0.1em" dy="1.1em"`.
            Op::CreateTextBBoxYOffset => Length(size - of_text().ascent),
            Op::CreateTextMiddleBBoxYOffset => Length(size + faces::middle() * size - of_text().ascent),
        }
    }

    /// The size of a text that is broken into lines, and its width without that.
    fn wrapped(&self, request: &HostTextMeasurementRequest<'_>, size: f64) -> (TextMetrics, Option<f64>) {
        let html = request.wrap_mode == WrapMode::HtmlLike;
        let measured = try_measure_wrapped_text_with_line_metrics(
            request.text,
            request.style,
            request.max_width,
            request.wrap_mode,
            |text, style| {
                let line = self.line(text, style, html);
                let extent = line.map_or(Extent::default(), |line| Extent::new(&line, size));
                Ok::<_, std::convert::Infallible>((extent.width, extent))
            },
        );
        let Ok((mut layout, lines)) = measured;
        layout.metrics.height = match html {
            true => layout.metrics.line_count as f64 * size * 1.5,
            false => {
                // One line begins 1.1 em below the other.
                let (mut top, mut bottom) = (f64::INFINITY, f64::NEG_INFINITY);
                for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.height > 0.0) {
                    let baseline = number as f64 * size * 1.1;
                    top = top.min(baseline - line.ascent);
                    bottom = bottom.max(baseline - line.ascent + line.height);
                }
                (bottom - top).max(0.0)
            }
        };
        (layout.metrics, layout.raw_width)
    }

    /// The shaped line; `None` where nothing is drawn. SVG leaves out blanks at both ends, HTML measures them here.
    fn line(&self, text: &str, style: &TextStyle, html: bool) -> Option<Arc<Line>> {
        let bold = is_bold(style.font_weight.as_deref());
        let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
        if html {
            let text = match text.contains(['\t', '\r', '\n']) {
                true => Cow::Owned(text.replace(['\t', '\r', '\n'], " ")),
                false => Cow::Borrowed(text),
            };
            return (!text.is_empty()).then(|| self.0.line(&text, bold));
        }
        let text = text.trim_matches(blank);
        if text.is_empty() {
            return None;
        }
        match text.contains("  ") || text.contains(['\t', '\r', '\n']) {
            true => {
                let words: Vec<&str> = text.split(blank).filter(|word| !word.is_empty()).collect();
                Some(self.0.line(&words.join(" "), bold))
            }
            false => Some(self.0.line(text, bold)),
        }
    }
}

/// A line in units of the picture.
#[derive(Default)]
struct Extent {
    width: f64,
    height: f64,
    ascent: f64,
    ink: (f64, f64),
}

impl Extent {
    fn new(line: &Line, size: f64) -> Self {
        Extent {
            width: line.advance * size,
            height: (line.ascent + line.descent) * size,
            ascent: line.ascent * size,
            ink: (line.ink.0 * size, line.ink.1 * size),
        }
    }
}

/// Whether the bold font is the nearer one to a `font-weight`.
fn is_bold(weight: Option<&str>) -> bool {
    match weight.map(str::trim) {
        Some("bold" | "bolder") => true,
        Some(weight) => weight.parse::<f64>().is_ok_and(|weight| weight > 500.0),
        None => false,
    }
}
