//! Lines of text as they are drawn: which part in which font and direction, and how wide it is.
//!
//! The base direction of a line is that of its first letter, as in `dir="auto"` of HTML.

use std::{
    num::NonZeroUsize,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use lru::LruCache;
use rustybuzz::ttf_parser::GlyphId;
use unicode_bidi::{BidiInfo, Level};
use unicode_script::{Script, UnicodeScript};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::faces::{self, Face, MoreFonts};

/// Lines that are remembered for each weight: labels recur, and a layout measures each many times.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);
/// Longer lines are not remembered.
const REMEMBERED_BYTES: usize = 256;

/// A part of a line in one font, one script and one direction.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// Which bytes of the line.
    pub(super) range: Range<usize>,
    /// `None` if no font has its characters.
    pub(super) face: Option<FaceRef>,
    pub(super) rtl: bool,
    /// Width for a font size of 1.
    pub(super) advance: f64,
}

/// A face, which is the same when it is at the same place.
#[derive(Clone, Copy)]
pub(super) struct FaceRef(pub(super) &'static Face);

impl std::fmt::Debug for FaceRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.family)
    }
}

/// A line of text for a font size of 1.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    /// From left to right.
    pub(super) runs: Vec<Run>,
    pub(super) advance: f64,
    /// Height above the baseline.
    pub(super) ascent: f64,
    /// Height below the baseline.
    pub(super) descent: f64,
    /// How far the ink reaches to the left and to the right.
    pub(super) ink: (f64, f64),
    /// The base direction is from right to left.
    pub(super) rtl: bool,
}

impl Line {
    /// It is drawn in the font of Latin text alone, from left to right.
    pub(super) fn is_plain(&self, bold: bool) -> bool {
        let latin = faces::latin(bold).map(std::ptr::from_ref);
        !self.rtl
            && self
                .runs
                .iter()
                .all(|run| !run.rtl && run.face.map(|face| std::ptr::from_ref(face.0)) == latin)
    }
}

/// Shapes lines, and remembers them.
#[derive(Debug)]
pub(super) struct Shaper {
    more: MoreFonts,
    lines: [Mutex<LruCache<Box<str>, Arc<Line>>>; 2],
}

impl Shaper {
    pub(super) fn new(more: MoreFonts) -> Self {
        Shaper { more, lines: [(); 2].map(|()| Mutex::new(LruCache::new(REMEMBERED))) }
    }

    /// The line of `text`, in the base direction of its first letter.
    pub(super) fn line(&self, text: &str, bold: bool) -> Arc<Line> {
        let lines = || self.lines[usize::from(bold)].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines().get(text) {
            return Arc::clone(line);
        }
        let line = Arc::new(self.shape(text, bold, is_rtl(text)));
        if text.len() <= REMEMBERED_BYTES {
            lines().put(text.into(), Arc::clone(&line));
        }
        line
    }

    /// The line of `text` in a base direction.
    pub(super) fn shape(&self, text: &str, bold: bool, rtl: bool) -> Line {
        let mut line = Line { rtl, ..Line::default() };
        for (range, face, rtl) in self.parts(text, bold, rtl) {
            add(&mut line, text, range, face, rtl, bold);
        }
        line
    }

    /// Parts of one font, script and direction, from left to right.
    fn parts(&self, text: &str, bold: bool, rtl: bool) -> Vec<(Range<usize>, Option<&'static Face>, bool)> {
        let latin = faces::latin(bold);
        if !rtl && latin.is_some_and(|face| text.chars().all(|c| face.has(c))) {
            return vec![(0..text.len(), latin, false)];
        }
        let bidi = BidiInfo::new(text, Some(if rtl { Level::rtl() } else { Level::ltr() }));
        let mut parts = Vec::new();
        for paragraph in &bidi.paragraphs {
            let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let rtl = levels.get(run.start).is_some_and(Level::is_rtl);
                let first = parts.len();
                self.split(text, run, bold, rtl, &mut parts);
                if rtl {
                    parts[first..].reverse();
                }
            }
        }
        parts
    }

    /// Splits a run of one direction by font and by script, in the order of the text.
    fn split(
        &self,
        text: &str,
        run: Range<usize>,
        bold: bool,
        rtl: bool,
        parts: &mut Vec<(Range<usize>, Option<&'static Face>, bool)>,
    ) {
        let first = parts.len();
        let mut script = None;
        for (at, cluster) in text[run.clone()].grapheme_indices(true) {
            let range = run.start + at..run.start + at + cluster.len();
            let face = self.more.face(cluster, bold);
            let own = cluster.chars().map(|c| c.script()).find(|script| !is_shared(*script));
            let same = |other: Option<&'static Face>| {
                other.map(std::ptr::from_ref::<Face>) == face.map(std::ptr::from_ref)
                    && (own.is_none() || script.is_none() || own == script)
            };
            match parts[first..].last_mut() {
                Some((last, other, _)) if same(*other) => last.end = range.end,
                _ => {
                    parts.push((range, face, rtl));
                    script = None;
                }
            }
            script = own.or(script);
        }
    }
}

/// Whether the first letter of a text is one of a script that is written from right to left.
pub(super) fn is_rtl(text: &str) -> bool {
    !text.is_ascii() && unicode_bidi::get_base_direction(text) == unicode_bidi::Direction::Rtl
}

fn is_shared(script: Script) -> bool {
    matches!(script, Script::Common | Script::Inherited | Script::Unknown)
}

/// Adds a part at the right end of a line.
fn add(line: &mut Line, text: &str, range: Range<usize>, face: Option<&'static Face>, rtl: bool, bold: bool) {
    let part = &text[range.clone()];
    let mut advance = 0.0;
    // What no font has is drawn as a box in the font of Latin text.
    let metrics = face.or_else(|| faces::latin(bold));
    if let Some(metrics) = metrics {
        let unit = 1.0 / f64::from(metrics.font.units_per_em().max(1));
        line.ascent = line.ascent.max(f64::from(metrics.font.ascender()) * unit);
        line.descent = line.descent.max(-f64::from(metrics.font.descender()) * unit);
    }
    match face {
        Some(face) => {
            let unit = 1.0 / f64::from(face.font.units_per_em().max(1));
            let glyphs = face.shape(part, rtl);
            let outlines = face.font.tables().glyf.is_some();
            for (glyph, position) in glyphs.glyph_infos().iter().zip(glyphs.glyph_positions()) {
                let id = GlyphId(u16::try_from(glyph.glyph_id).unwrap_or_default());
                if let Some(ink) = outlines.then(|| face.font.glyph_bounding_box(id)).flatten() {
                    let origin = line.advance + advance + f64::from(position.x_offset) * unit;
                    line.ink.0 = line.ink.0.min(origin + f64::from(ink.x_min) * unit);
                    line.ink.1 = line.ink.1.max(origin + f64::from(ink.x_max) * unit);
                }
                advance += f64::from(position.x_advance) * unit;
            }
        }
        None => advance = estimate(part),
    }
    line.advance += advance;
    line.ink.1 = line.ink.1.max(line.advance);
    line.runs.push(Run { range, face: face.map(FaceRef), rtl, advance });
}

/// About how wide a viewer with another font draws it.
fn estimate(text: &str) -> f64 {
    text.graphemes(true).map(|cluster| if cluster.width() > 1 { 1.0 } else { 0.6 }).sum()
}
