//! What is known of each text of a picture once the painter has read it: where its baseline is, how it is anchored, in
//! which direction it runs, and which fonts it needs.
//!
//! Viewers differ in all of these. So the SVG says where the baseline is in place of naming one, and the painter is
//! told the font of each part of a text.

use std::{collections::HashMap, fmt::Write as _};

use resvg::{
    tiny_skia::Rect,
    usvg::{
        AlignmentBaseline, DominantBaseline, Group, Node, Paint, Text, TextAnchor, TextChunk, TextFlow,
        TextSpan, Tree, fontdb::FaceInfo,
    },
};
use unicode_script::UnicodeScript;

use super::{
    faces, fonts,
    shape::{Line, Shaper, is_rtl},
};

/// Below this, in units of the picture, nobody sees a difference.
const SMALL: f64 = 0.01;

/// The texts of a picture by their number, and what is drawn outside of its frame.
#[derive(Debug, Default)]
pub(super) struct TextPlans {
    by_number: HashMap<usize, TextPlan>,
    /// Fonts of the texts that need others than the one of Latin text.
    pub(super) faces: Vec<FaceInfo>,
    /// The smallest box around all that is drawn.
    pub(super) bounds: Option<Rect>,
    /// Scripts that no font has.
    pub(super) missing: Vec<&'static str>,
}

/// One text.
#[derive(Debug)]
pub(super) struct TextPlan {
    /// How far its baseline is below `y`, for a font size of 1; none if it is there.
    pub(super) shift: Option<f64>,
    /// The size of its font.
    pub(super) size: f64,
    pub(super) anchor: TextAnchor,
    pub(super) rtl: bool,
    /// Its parts for the painter, as SVG, if it needs other fonts than the one of Latin text.
    pub(super) parts: Option<String>,
}

impl TextPlans {
    /// Reads the plans of the texts that have the ids of [`id`].
    pub(super) fn new(tree: &Tree, shaper: &Shaper) -> Self {
        let mut plans = TextPlans::default();
        plans.visit(tree.root(), shaper);
        plans
    }

    pub(super) fn get(&self, number: usize) -> Option<&TextPlan> {
        self.by_number.get(&number)
    }

    /// Whether the painter has to be told the fonts of some text.
    pub(super) fn has_parts(&self) -> bool {
        !self.faces.is_empty()
    }

    /// What the painter is told of the texts that need other fonts.
    #[cfg(test)]
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        self.by_number.values().filter_map(|plan| plan.parts.as_deref())
    }

    fn visit(&mut self, group: &Group, shaper: &Shaper) {
        for node in group.children() {
            match node {
                Node::Group(group) => self.visit(group, shaper),
                Node::Text(text) => self.read(text, shaper),
                _ => self.grow(node.abs_stroke_bounding_box()),
            }
        }
    }

    fn grow(&mut self, rect: Rect) {
        self.bounds = match self.bounds {
            Some(bounds) => Rect::from_ltrb(
                bounds.left().min(rect.left()),
                bounds.top().min(rect.top()),
                bounds.right().max(rect.right()),
                bounds.bottom().max(rect.bottom()),
            ),
            None => Some(rect),
        };
    }

    fn read(&mut self, text: &Text, shaper: &Shaper) {
        let whole: String = text.chunks().iter().map(TextChunk::text).collect();
        let rtl = is_rtl(&whole);
        let span = text.chunks().iter().find_map(|chunk| chunk.spans().first());
        let Some(span) = span else {
            return;
        };
        let mut lines = Vec::new();
        for chunk in text.chunks() {
            for span in chunk.spans() {
                let part = chunk.text().get(span.start()..span.end()).unwrap_or_default();
                let bold = is_bold(span);
                let line = if rtl { shaper.shape(part, bold, true).into() } else { shaper.line(part, bold) };
                lines.push((part, bold, line));
            }
        }
        let plain = !rtl && lines.iter().all(|(_, bold, line)| line.is_plain(*bold));
        let path = text.chunks().iter().any(|chunk| !matches!(chunk.text_flow(), TextFlow::Linear));
        let parts = match plain || path {
            true => {
                // Browsers count a text from its ascent to its descent, however tall its letters are.
                self.grow(text.abs_bounding_box());
                self.grow(text.abs_stroke_bounding_box());
                None
            }
            false => {
                let lines: Vec<&Line> = lines.iter().map(|(.., line)| &**line).collect();
                let mut writer =
                    Writer { text, lines: lines.iter().copied(), out: String::new(), extents: Vec::new() };
                writer.write();
                let Writer { out, extents, .. } = writer;
                extents
                    .into_iter()
                    .filter_map(|rect| rect.transform(text.abs_transform()))
                    .for_each(|r| self.grow(r));
                Some(out)
            }
        };
        for (part, bold, line) in &lines {
            if parts.is_some() {
                self.need(part, *bold, line);
            }
        }
        let size = f64::from(span.font_size().get());
        let shift = Some(shift(span)).filter(|shift| (shift * size).abs() > SMALL);
        let anchor = text.chunks().first().map_or(TextAnchor::Start, TextChunk::anchor);
        let plan = TextPlan { shift, size, anchor, rtl, parts };
        if let Some(number) = number(text.id()) {
            self.by_number.entry(number).or_insert(plan);
        }
    }

    /// Notes the fonts of a line, and the scripts that no font has.
    fn need(&mut self, text: &str, bold: bool, line: &Line) {
        for run in &line.runs {
            match run.face {
                Some(face) => {
                    let info = face.0.info(bold);
                    if !self
                        .faces
                        .iter()
                        .any(|other| other.families == info.families && other.weight == info.weight)
                    {
                        self.faces.push(info);
                    }
                }
                None => {
                    for name in text[run.range.clone()].chars().filter_map(script_name) {
                        if !self.missing.contains(&name) {
                            self.missing.push(name);
                        }
                    }
                }
            }
        }
    }
}

/// The id of the text `number` while plans are made.
pub(super) fn id(number: usize) -> String {
    format!("text-{number}")
}

fn number(id: &str) -> Option<usize> {
    id.strip_prefix("text-")?.parse().ok()
}

fn is_bold(span: &TextSpan) -> bool {
    span.font().weight() > 500
}

/// How far the baseline of a span is below its `y`, for a font size of 1, as browsers have it.
fn shift(span: &TextSpan) -> f64 {
    use AlignmentBaseline as Align;
    use DominantBaseline as Dominant;
    let (ascent, descent) = faces::extent();
    match (span.alignment_baseline(), span.dominant_baseline()) {
        (Align::Middle, _) | (Align::Auto | Align::Baseline, Dominant::Middle) => faces::middle(),
        (Align::Central, _) | (Align::Auto | Align::Baseline, Dominant::Central) => (ascent - descent) / 2.0,
        (Align::Hanging, _) | (Align::Auto | Align::Baseline, Dominant::Hanging) => faces::hanging(),
        (Align::Mathematical, _) | (Align::Auto | Align::Baseline, Dominant::Mathematical) => ascent / 2.0,
        (Align::BeforeEdge | Align::TextBeforeEdge, _)
        | (Align::Auto | Align::Baseline, Dominant::TextBeforeEdge) => ascent,
        (Align::AfterEdge | Align::TextAfterEdge | Align::Ideographic, _)
        | (Align::Auto | Align::Baseline, Dominant::TextAfterEdge | Dominant::Ideographic) => -descent,
        _ => 0.0,
    }
}

/// What people call the script of a character; `None` for what belongs to no script, such as blanks.
fn script_name(character: char) -> Option<&'static str> {
    use unicode_script::Script;
    match character.script() {
        Script::Han => Some("Chinese characters (Han)"),
        Script::Hangul => Some("Korean (Hangul)"),
        Script::Hiragana | Script::Katakana => Some("Japanese (Kana)"),
        Script::Inherited => None,
        Script::Common | Script::Unknown => match u32::from(character) {
            0x1f000..=0x1faff => Some("emoji"),
            0x3000..=0x303f | 0xff00..=0xffef => Some("Chinese characters (Han)"),
            _ if character.is_whitespace() || character.is_control() => None,
            _ => Some("symbols"),
        },
        script => Some(script.full_name()),
    }
}

/// Writes a text as parts that each have one font, one direction and a place of their own.
struct Writer<'a, I> {
    text: &'a Text,
    /// Of each span of each chunk.
    lines: I,
    out: String,
    /// In the coordinates of the text.
    extents: Vec<Rect>,
}

impl<'a, I: Iterator<Item = &'a Line>> Writer<'a, I> {
    fn write(&mut self) {
        let text = self.text;
        let (mut last_x, mut last_y) = (0.0, 0.0);
        let mut first = 0;
        for chunk in text.chunks() {
            let count = chunk.text().chars().count();
            let moved =
                |moves: &[f32]| moves.iter().skip(first).take(count).map(|by| f64::from(*by)).sum::<f64>();
            let x = chunk.x().map_or(last_x, f64::from) + moved(text.dx());
            let y = chunk.y().map_or(last_y, f64::from) + moved(text.dy());
            first += count;
            last_x = self.chunk(chunk, x, y);
            last_y = y;
        }
    }

    /// Writes a chunk and returns where it ends.
    fn chunk(&mut self, chunk: &TextChunk, x: f64, y: f64) -> f64 {
        let mut spans: Vec<(&TextSpan, &Line)> = Vec::new();
        for span in chunk.spans() {
            spans.extend(self.lines.next().map(|line| (span, line)));
        }
        if spans.first().is_some_and(|(_, line)| line.rtl) {
            spans.reverse();
        }
        let size = |span: &TextSpan| f64::from(span.font_size().get());
        let width: f64 = spans.iter().map(|(span, line)| line.advance * size(span)).sum();
        let start = match chunk.anchor() {
            TextAnchor::Start => x,
            TextAnchor::Middle => x - width / 2.0,
            TextAnchor::End => x - width,
        };
        let mut x = start;
        for (span, line) in spans {
            let size = size(span);
            let baseline = y + shift(span) * size;
            let (left, right) = (x as f32, (x + line.advance * size) as f32);
            let (top, bottom) =
                ((baseline - line.ascent * size) as f32, (baseline + line.descent * size) as f32);
            self.extents.extend(Rect::from_ltrb(left, top, right, bottom));
            let part = chunk.text().get(span.start()..span.end()).unwrap_or_default();
            for run in &line.runs {
                let family = run.face.map_or(fonts::FAMILY, |face| &face.0.family);
                let words = escaped(part.get(run.range.clone()).unwrap_or_default());
                // An override, because what is between the words of a run belongs to it whatever it is.
                let words = if run.rtl { format!("\u{202e}{words}\u{202c}") } else { words };
                let _ = write!(
                    self.out,
                    "<tspan x=\"{x}\" y=\"{baseline}\" xml:space=\"preserve\" style=\"font-family:'{family}';\
                     font-size:{size}px;font-weight:{};text-anchor:start;dominant-baseline:auto;\
                     alignment-baseline:auto{}\">{words}</tspan>",
                    if is_bold(span) { 700 } else { 400 },
                    fill(span),
                );
                x += run.advance * size;
            }
        }
        start + width
    }
}

fn fill(span: &TextSpan) -> String {
    match span.fill().map(|fill| (fill.paint(), fill.opacity().get())) {
        Some((Paint::Color(color), opacity)) => {
            format!(";fill:#{:02x}{:02x}{:02x};fill-opacity:{opacity}", color.red, color.green, color.blue)
        }
        Some(_) => String::new(),
        None => ";fill:none".to_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
