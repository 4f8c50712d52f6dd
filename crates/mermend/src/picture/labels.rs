//! Makes SVG texts of the HTML labels that the layout has measured: only browsers draw HTML within SVG.
//!
//! A label keeps its lines, its weight, its colours and what it stands on. The style of its words is computed from the
//! style sheet of the picture as a browser does, with the selectors of simplecss.

use std::{convert::Infallible, fmt::Write as _};

use merman::{
    model::text::decode_mermaid_entities_to_unicode,
    svg::{TextStyle, WrapMode},
};
use merman_render::text::try_measure_wrapped_text;
use quick_xml::{
    Reader,
    escape::{escape, unescape},
    events::{BytesStart, Event},
};
use simplecss::{AttributeOperator, DeclarationTokenizer, Element, PseudoClass, Rule, StyleSheet};

use super::{faces, shape::Shaper};

const LABEL: &str = "foreignObject";
/// The properties that a text has in the end.
const PROPERTIES: [&str; 12] = [
    "color",
    "fill",
    "font-size",
    "font-weight",
    "font-style",
    "line-height",
    "background",
    "background-color",
    "white-space",
    "width",
    "max-width",
    "display",
];

/// `svg` with texts in place of its HTML labels.
pub(super) fn to_text(svg: &str, shaper: &Shaper) -> Result<String, String> {
    if !svg.contains("<foreignObject") {
        return Ok(svg.to_owned());
    }
    let css: String = svg
        .split("<style")
        .skip(1)
        .filter_map(|rest| rest.split_once('>')?.1.split("</style>").next())
        .collect();
    let css = unescape(&css).unwrap_or_else(|_| css.as_str().into());
    let sheet = StyleSheet::parse(&css);
    let wanted = |rule: &&Rule<'_>| rule.declarations.iter().any(|d| PROPERTIES.contains(&d.name));
    let mut pass = Pass { rules: sheet.rules.iter().filter(wanted).collect(), shaper, open: Vec::new() };
    let mut reader = Reader::from_str(svg);
    let mut out = String::with_capacity(svg.len());
    let mut copied = 0;
    let mut label: Option<Label> = None;
    loop {
        let before = position(&reader);
        let event = reader.read_event().map_err(|error| format!("its SVG is not XML: {error}"))?;
        match event {
            Event::Eof => break,
            Event::Start(start) => {
                pass.open.push(Node::new(&start));
                if start.name().as_ref() == LABEL {
                    out.push_str(svg.get(copied..before).unwrap_or_default());
                    label = Some(Label::default());
                } else if let Some(label) = &mut label {
                    label.begin(start.name().as_ref());
                }
            }
            Event::Empty(start) => {
                if let Some(label) = &mut label
                    && start.name().as_ref() == "br"
                {
                    label.text.push('\n');
                }
            }
            Event::End(end) => {
                if end.name().as_ref() == LABEL
                    && let Some(label) = label.take()
                {
                    copied = position(&reader);
                    // A choice between HTML and SVG has the text of SVG already.
                    let rest = svg.get(copied..).unwrap_or_default();
                    let twice = pass.open.iter().rev().nth(1).is_some_and(|node| node.name == "switch")
                        && rest.split("</switch>").next().is_some_and(|rest| rest.contains("<text"));
                    if !twice {
                        pass.write(&label, &mut out);
                    }
                }
                pass.open.pop();
            }
            Event::Text(words) => {
                if let Some(label) = &mut label {
                    label.push(&words, pass.style());
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(label) = &mut label {
                    label.push(&format!("&{};", &*reference), pass.style());
                }
            }
            _ => {}
        }
    }
    out.push_str(svg.get(copied..).unwrap_or_default());
    Ok(out)
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

/// An open element.
struct Node {
    name: String,
    attributes: Vec<(String, String)>,
    /// Computed when a text needs it.
    style: Option<Style>,
}

impl Node {
    fn new(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().flatten();
        let attributes = attributes.map(|a| (a.key.as_ref().to_owned(), a.value.into_owned())).collect();
        Node { name: start.name().as_ref().to_owned(), attributes, style: None }
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.attribute(name)?.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// An element as selectors see it.
struct Seen<'a> {
    open: &'a [Node],
}

impl Element for Seen<'_> {
    fn parent_element(&self) -> Option<Self> {
        let (_, parents) = self.open.split_last()?;
        (!parents.is_empty()).then_some(Seen { open: parents })
    }

    fn prev_sibling_element(&self) -> Option<Self> {
        None
    }

    fn has_local_name(&self, name: &str) -> bool {
        self.open.last().is_some_and(|node| node.name == name)
    }

    fn attribute_matches(&self, local_name: &str, operator: AttributeOperator<'_>) -> bool {
        let value = self.open.last().and_then(|node| node.attribute(local_name));
        value.is_some_and(|value| operator.matches(value))
    }

    fn pseudo_class_matches(&self, _class: PseudoClass<'_>) -> bool {
        false
    }
}

/// How words look.
#[derive(Debug, Clone, PartialEq)]
struct Style {
    color: Option<String>,
    fill: String,
    size: f64,
    bold: bool,
    italic: bool,
    /// Of a line, for a font size of 1.
    line: f64,
    background: Option<String>,
    nowrap: bool,
    hidden: bool,
    width: Option<f64>,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            color: None,
            fill: "#000".to_owned(),
            size: 16.0,
            bold: false,
            italic: false,
            line: 1.5,
            background: None,
            nowrap: false,
            hidden: false,
            width: None,
        }
    }
}

impl Style {
    fn set(&mut self, name: &str, value: &str, html: bool) {
        let value = value.trim();
        if matches!(value, "inherit" | "initial" | "unset" | "currentColor") {
            return;
        }
        match name {
            "color" => self.color = Some(value.to_owned()),
            "fill" if !html => self.fill = value.to_owned(),
            "font-size" => self.size = length(value, self.size).unwrap_or(self.size),
            "font-weight" => {
                self.bold =
                    matches!(value, "bold" | "bolder") || value.parse::<f64>().is_ok_and(|w| w > 500.0);
            }
            "font-style" => self.italic = matches!(value, "italic" | "oblique"),
            "line-height" => {
                let factor = value.parse().ok().or_else(|| Some(length(value, self.size)? / self.size));
                self.line = factor.filter(|factor| *factor > 0.0).unwrap_or(self.line);
            }
            "background" | "background-color" if html => {
                let none = value.is_empty() || matches!(value, "none" | "transparent");
                self.background = (!none).then(|| value.to_owned());
            }
            "white-space" => self.nowrap = value == "nowrap",
            "width" | "max-width" if html => {
                if let Some(width) =
                    value.strip_suffix("px").and_then(|width| width.trim().parse::<f64>().ok())
                {
                    self.width = Some(self.width.map_or(width, |other| other.min(width)));
                }
            }
            "display" => self.hidden |= value == "none",
            _ => {}
        }
    }

    fn css(&self) -> String {
        format!(
            "fill:{};stroke:none;font-size:{}px;font-weight:{};font-style:{}",
            self.color.as_deref().unwrap_or(&self.fill),
            self.size,
            if self.bold { "bold" } else { "normal" },
            if self.italic { "italic" } else { "normal" },
        )
    }
}

/// A length in units of the picture.
fn length(value: &str, size: f64) -> Option<f64> {
    let number = |suffix: &str| value.strip_suffix(suffix)?.trim().parse::<f64>().ok();
    let rem = number("rem").map(|number| number * 16.0);
    let em = || number("em").map(|number| number * size);
    let percent = || number("%").map(|number| number * size / 100.0);
    let length = rem.or_else(em).or_else(percent).or_else(|| number("px")).or_else(|| value.parse().ok());
    length.filter(|length| length.is_finite() && *length > 0.0)
}

/// The words of a label.
#[derive(Default)]
struct Label {
    text: String,
    /// Where each style begins.
    styles: Vec<(usize, Style)>,
}

impl Label {
    /// Blocks are on lines of their own.
    fn begin(&mut self, element: &str) {
        if element == "br" || matches!(element, "p" | "div" | "li") && !self.text.trim().is_empty() {
            self.text.push('\n');
        }
    }

    fn push(&mut self, words: &str, style: Style) {
        let words = unescape(words).unwrap_or_else(|_| words.into());
        let words = decode_mermaid_entities_to_unicode(&words);
        if style.hidden {
            return;
        }
        if self.styles.last().is_none_or(|(_, last)| *last != style) {
            self.styles.push((self.text.len(), style));
        }
        for (number, line) in words.split("\\n").enumerate() {
            if number > 0 {
                self.text.push('\n');
            }
            for character in line.chars() {
                // One blank stands for many, and for none at the beginning of a line.
                match matches!(character, ' ' | '\t' | '\r' | '\n') {
                    true if self.text.is_empty() || self.text.ends_with([' ', '\n']) => {}
                    true => self.text.push(' '),
                    false => self.text.push(character),
                }
            }
        }
    }

    fn style_at(&self, at: usize) -> Option<&Style> {
        let number = self.styles.partition_point(|(start, _)| *start <= at);
        self.styles.get(number.checked_sub(1)?).map(|(_, style)| style)
    }
}

struct Pass<'a> {
    /// The least specific first.
    rules: Vec<&'a Rule<'a>>,
    shaper: &'a Shaper,
    open: Vec<Node>,
}

impl Pass<'_> {
    /// The style of words in the innermost open element.
    fn style(&mut self) -> Style {
        let first = self.open.iter().position(|node| node.style.is_none()).unwrap_or(self.open.len());
        let inherited =
            |open: &[Node], at: usize| at.checked_sub(1).and_then(|at| open.get(at)?.style.clone());
        for at in first..self.open.len() {
            let parent = inherited(&self.open, at).unwrap_or_default();
            let style = self.computed(at, parent);
            if let Some(node) = self.open.get_mut(at) {
                node.style = Some(style);
            }
        }
        inherited(&self.open, self.open.len()).unwrap_or_default()
    }

    fn computed(&self, at: usize, mut style: Style) -> Style {
        let open = self.open.get(..=at).unwrap_or_default();
        let Some(node) = open.last() else {
            return style;
        };
        let html = open.iter().any(|node| node.name == LABEL) && node.name != LABEL;
        match node.name.as_str() {
            "strong" | "b" => style.bold = true,
            "em" | "i" => style.italic = true,
            _ => {}
        }
        if let Some(fill) = node.attribute("fill") {
            style.set("fill", fill, html);
        }
        let seen = Seen { open };
        let matching: Vec<&Rule<'_>> =
            self.rules.iter().copied().filter(|rule| rule.selector.matches(&seen)).collect();
        let inline = || DeclarationTokenizer::from(node.attribute("style").unwrap_or_default());
        for important in [false, true] {
            let rules = matching.iter().flat_map(|rule| &rule.declarations);
            for declaration in rules.filter(|declaration| declaration.important == important) {
                style.set(declaration.name, declaration.value, html);
            }
            for declaration in inline().filter(|declaration| declaration.important == important) {
                style.set(declaration.name, declaration.value, html);
            }
        }
        style
    }

    /// Writes the label of the innermost open element.
    fn write(&self, label: &Label, out: &mut String) {
        let text = label.text.trim_end();
        let (Some(node), Some(base)) = (self.open.last(), label.style_at(0)) else {
            return;
        };
        if text.is_empty() {
            return;
        }
        let style = TextStyle {
            font_size: base.size,
            font_weight: base.bold.then(|| "bold".to_owned()),
            ..TextStyle::default()
        };
        let width = |text: &str| self.shaper.line(text, base.bold).advance * base.size;
        let outer = node.number("width");
        let most = (!base.nowrap).then(|| base.width.or(outer)).flatten().map(|width| width + 0.5);
        let measured = try_measure_wrapped_text(
            text,
            &style,
            most,
            WrapMode::HtmlLike,
            base.line * base.size,
            |t, _| Ok::<_, Infallible>(width(t)),
        );
        let Ok(layout) = measured;
        let [x, y] = ["x", "y"].map(|name| node.number(name).unwrap_or(0.0));
        let [w, h] = ["width", "height"].map(|name| node.number(name).unwrap_or(0.0));
        let (anchor, x) = match node.attribute("text-anchor") {
            Some("start") => ("start", x),
            Some("end") => ("end", x + w),
            _ => ("middle", x + w / 2.0),
        };
        let (ascent, descent) = faces::extent();
        let height = base.line * base.size;
        let top = y + h / 2.0 - height * (layout.lines.len() as f64 - 1.0) / 2.0;
        let classes: Vec<&str> = self.open.iter().filter_map(|node| node.attribute("class")).collect();
        let transform =
            node.attribute("transform").map(|value| format!(" transform=\"{value}\"")).unwrap_or_default();
        let _ = write!(
            out,
            "<g{transform} data-merman-foreignobject=\"\" data-merman-source-classes=\"{}\">",
            classes.join(" ")
        );
        let mut at = 0;
        for (number, line) in layout.lines.iter().enumerate() {
            let middle = top + number as f64 * height;
            if let Some(background) = &base.background {
                let (wide, high) = (width(line), (ascent + descent) * base.size);
                let left = match anchor {
                    "start" => x,
                    "end" => x - wide,
                    _ => x - wide / 2.0,
                };
                let _ = write!(
                    out,
                    "<rect x=\"{left}\" y=\"{}\" width=\"{wide}\" height=\"{high}\" \
                     style=\"fill:{};stroke:none;opacity:1\"/>",
                    middle - high / 2.0,
                    escape(background.as_str()),
                );
            }
            let _ = write!(
                out,
                "<text x=\"{x}\" y=\"{middle}\" dy=\"{:.4}em\" xml:space=\"preserve\" \
                 style=\"text-anchor:{anchor};{}\">",
                (ascent - descent) / 2.0,
                escape(base.css()),
            );
            let mut part = String::new();
            let mut current = base;
            for character in line.chars() {
                // Lines leave out blanks at which they are broken.
                at += text[at..].find(character).unwrap_or(0);
                let style = label.style_at(at).unwrap_or(base);
                if style != current {
                    write_part(out, &part, current, base);
                    part.clear();
                    current = style;
                }
                part.push(character);
                at += text[at..].chars().next().map_or(0, char::len_utf8);
            }
            write_part(out, &part, current, base);
            out.push_str("</text>");
        }
        out.push_str("</g>");
    }
}

fn write_part(out: &mut String, words: &str, style: &Style, base: &Style) {
    let words = escape(words);
    if words.is_empty() {
        return;
    }
    let _ = match style == base {
        true => write!(out, "{words}"),
        false => write!(out, "<tspan style=\"{}\">{words}</tspan>", escape(style.css())),
    };
}
