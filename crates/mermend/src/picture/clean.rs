//! The last pass over an SVG: only known elements and attributes stay, nothing points outside, and each part is marked
//! with its blueprint element.
//!
//! merman has cleaned it before; this pass does not rely on that.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use quick_xml::{
    Reader, Writer,
    escape::unescape,
    events::{BytesEnd, BytesStart, BytesText, Event, attributes::Attribute},
};

use super::{
    css, fonts,
    ids::Ids,
    options::{Mark, Part},
    text_place,
    text_plan::{self, TextPlans},
};

const ELEMENTS: [&str; 37] = [
    "svg",
    "g",
    "defs",
    "use",
    "symbol",
    "marker",
    "path",
    "rect",
    "circle",
    "ellipse",
    "line",
    "polyline",
    "polygon",
    "text",
    "tspan",
    "textPath",
    "title",
    "desc",
    "style",
    "clipPath",
    "mask",
    "pattern",
    "linearGradient",
    "radialGradient",
    "stop",
    "filter",
    "feDropShadow",
    "feGaussianBlur",
    "feOffset",
    "feMerge",
    "feMergeNode",
    "feFlood",
    "feComposite",
    "feColorMatrix",
    "feBlend",
    "switch",
    "a",
];

/// Where a picture goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Into a page that has the fonts.
    Page,
    /// Into a file, with the subsets of the fonts that it needs.
    File,
    /// To the painter of this crate, which has the fonts.
    Painter,
}

/// How a picture is cleaned.
pub(super) struct Job<'a> {
    pub(super) marks: &'a [Mark],
    /// What all ids in the SVG begin with or hold.
    pub(super) id: &'a str,
    /// If it is not the one of the layout.
    pub(super) frame: Option<[f64; 4]>,
    pub(super) place: Place,
    /// `None` while the painter reads the picture to find out.
    pub(super) plans: Option<&'a TextPlans>,
}

/// Cleans and marks `svg`.
pub(super) fn clean(svg: &str, job: &Job<'_>) -> Result<String, String> {
    let place = job.place;
    let planning = place == Place::Painter && job.plans.is_none();
    let mut pass = Pass::new(job, job.frame.or_else(|| view_box(svg)));
    let mut reader = Reader::from_str(svg);
    let mut writer = Writer::new(Vec::with_capacity(svg.len() + 1024));
    let mut skipping = 0_usize;
    let mut fonts_done = place != Place::File;
    // The text of an open `style`, without escapes. It is one text, whatever stands in it.
    let mut style = String::new();
    let mut texts = 0;
    // The events of an open `text`, which are written when it ends.
    let mut text: Option<(usize, Vec<Event<'static>>)> = None;
    loop {
        let event = reader.read_event().map_err(|error| format!("its SVG is not XML: {error}"))?;
        match event {
            Event::Eof => break,
            Event::Start(start) => {
                if skipping > 0 || pass.in_style() || !known(&start) {
                    skipping += 1;
                    continue;
                }
                let number = (start.name().as_ref() == "text").then_some(texts);
                if let Some(number) = number {
                    texts += 1;
                    let plan = job.plans.and_then(|plans| plans.get(number));
                    if let Some(parts) = plan.and_then(|plan| plan.parts.as_deref())
                        && place == Place::Painter
                    {
                        let start = pass.element(&start)?;
                        write(&mut writer, Event::Start(without_position(&start)))?;
                        write(&mut writer, Event::Text(BytesText::from_escaped(parts)))?;
                        write(&mut writer, Event::End(BytesEnd::new("text")))?;
                        skipping += 1;
                        continue;
                    }
                }
                let mut start = pass.open(&start)?;
                match number {
                    Some(number) if planning => {
                        start = text_place::with(&start, "id", &text_plan::id(number));
                    }
                    Some(number) if place != Place::Painter && text.is_none() => {
                        text = Some((number, Vec::new()))
                    }
                    _ => {}
                }
                match &mut text {
                    Some((_, events)) => events.push(Event::Start(start)),
                    None => write(&mut writer, Event::Start(start))?,
                }
                if !fonts_done {
                    fonts_done = true;
                    let css = fonts::embedded_css(&characters_of(svg), svg.contains("bold"));
                    write(&mut writer, Event::Start(BytesStart::new("style")))?;
                    write(&mut writer, Event::Text(BytesText::from_escaped(css)))?;
                    write(&mut writer, Event::End(BytesStart::new("style").to_end()))?;
                }
            }
            Event::Empty(start) if skipping == 0 && !pass.in_style() && known(&start) => {
                texts += usize::from(start.name().as_ref() == "text");
                let start = pass.element(&start)?;
                match &mut text {
                    Some((_, events)) => events.push(Event::Empty(start)),
                    None => write(&mut writer, Event::Empty(start))?,
                }
            }
            Event::End(end) => {
                if skipping > 0 {
                    skipping -= 1;
                    continue;
                }
                if pass.in_style() {
                    let css = pass.ids.lower_ends(std::mem::take(&mut style), svg);
                    let css = pass.ids.own_addresses(pass.css(&css));
                    let css = css.replace('&', "&amp;").replace('<', "&lt;");
                    write(&mut writer, Event::Text(BytesText::from_escaped(css)))?;
                }
                pass.close();
                let name = written_name(end.name().as_ref()).to_owned();
                let ends_text = name == "text";
                let end = Event::End(BytesEnd::new(name));
                match text.take() {
                    Some((number, mut events)) => {
                        events.push(end);
                        if !ends_text {
                            text = Some((number, events));
                            continue;
                        }
                        let plan = job.plans.and_then(|plans| plans.get(number));
                        let events = plan.map_or(events.clone(), |plan| text_place::place(events, plan));
                        events.into_iter().try_for_each(|event| write(&mut writer, event))?;
                    }
                    None => write(&mut writer, end)?,
                }
            }
            Event::Text(words) if skipping == 0 => match (pass.in_style(), &mut text) {
                (true, _) => style.push_str(&words),
                (false, Some((_, events))) => events.push(Event::Text(words.into_owned())),
                (false, None) => write(&mut writer, Event::Text(words))?,
            },
            Event::GeneralRef(reference) if skipping == 0 => match (pass.in_style(), &mut text) {
                (true, _) => style.push_str(&referenced(&reference)),
                (false, Some((_, events))) => events.push(Event::GeneralRef(reference.into_owned())),
                (false, None) => write(&mut writer, Event::GeneralRef(reference))?,
            },
            // Comments, declarations, processing instructions and CDATA have no place in a picture.
            _ => {}
        }
    }
    String::from_utf8(writer.into_inner()).map_err(|error| error.to_string())
}

fn write(writer: &mut Writer<Vec<u8>>, event: Event<'_>) -> Result<(), String> {
    writer.write_event(event).map_err(|error| error.to_string())
}

/// The element without what places its text.
fn without_position(start: &BytesStart<'_>) -> BytesStart<'static> {
    let mut out = BytesStart::new(start.name().as_ref().to_owned());
    for attribute in start.attributes().flatten().filter(|a| !text_place::is_position(a.key.as_ref())) {
        out.push_attribute(attribute);
    }
    out
}

fn known(start: &BytesStart<'_>) -> bool {
    ELEMENTS.contains(&start.name().as_ref())
}

/// Links lead outside; what they hold is drawn all the same. So is what a choice holds: without HTML, one is left.
fn written_name(name: &str) -> &str {
    if matches!(name, "a" | "switch") { "g" } else { name }
}

/// The `viewBox` of the root.
pub(super) fn view_box(svg: &str) -> Option<[f64; 4]> {
    let (root, _) = svg.split_once('>')?;
    let (_, value) = root.split_once("viewBox=\"")?;
    let numbers: Vec<f64> =
        value.split('"').next()?.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    numbers.try_into().ok()
}

/// The characters that occur in texts of the SVG.
fn characters_of(svg: &str) -> String {
    let mut found = BTreeSet::new();
    let mut rest = svg;
    while let Some((before, tag)) = rest.split_once('<') {
        found.extend(before.chars());
        let end = match tag.starts_with("style") {
            true => tag.find("</style>").unwrap_or(tag.len()),
            false => tag.find('>').map_or(tag.len(), |end| end + 1),
        };
        rest = &tag[end..];
    }
    found.into_iter().collect()
}

/// What a reference such as `&gt;` or `&#62;` stands for; nothing if it is unknown.
fn referenced(name: &str) -> String {
    unescape(&format!("&{name};")).map(Cow::into_owned).unwrap_or_default()
}

/// CSS in which every text has the font that it was measured with: a viewer may well have the others that it names.
fn one_font(css: &str) -> String {
    const NAME: &str = "font-family";
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some(at) = rest.find(NAME) {
        let (before, after) = rest.split_at(at + NAME.len());
        out.push_str(before);
        let value = after.trim_start();
        // A variable has the word in its name.
        let own = !before[..at].ends_with('-');
        let Some(value) = value.strip_prefix(':').filter(|_| own) else {
            rest = after;
            continue;
        };
        out.push_str(&format!(":{}", fonts::STACK));
        rest = &value[end_of_value(value)..];
    }
    out.push_str(rest);
    out
}

/// Where the value of a declaration ends. In an attribute, quotes are written as `&quot;`, whose semicolon is no end.
fn end_of_value(css: &str) -> usize {
    let mut entity = None;
    for (at, c) in css.char_indices() {
        match c {
            '&' => entity = Some(at),
            // Some are escaped twice: `&amp;quot;`.
            ';' if entity.is_some_and(|from| at - from <= 8) => {
                entity = entity.filter(|from| &css[*from..at] == "&amp").map(|_| at);
            }
            ';' | '}' => return at,
            _ => {}
        }
    }
    css.len()
}

/// What is open, and what the marks say.
struct Pass<'a> {
    /// `data-id` of a node, group or line to its blueprint element.
    by_data_id: HashMap<String, &'a str>,
    /// `classId-NAME-` to the class's element and its rows.
    classes: HashMap<&'a str, ClassMarks<'a>>,
    prefix: String,
    ids: Ids<'a>,
    place: Place,
    /// Texts name their baselines: only to the painter, as long as it is asked where these are.
    baselines: bool,
    frame: Option<[f64; 4]>,
    open: Vec<Open<'a>>,
}

#[derive(Default)]
struct ClassMarks<'a> {
    element: Option<&'a str>,
    attributes: Vec<&'a str>,
    methods: Vec<&'a str>,
}

/// An open element.
#[derive(Default)]
struct Open<'a> {
    style: bool,
    /// The class whose rows follow, and how many of them were seen.
    class: Option<(&'a str, usize, usize)>,
}

impl<'a> Pass<'a> {
    fn new(job: &Job<'a>, frame: Option<[f64; 4]>) -> Self {
        let mut by_data_id = HashMap::new();
        let mut classes: HashMap<&'a str, ClassMarks<'a>> = HashMap::new();
        for mark in job.marks {
            let element = mark.element.as_str();
            match &mark.part {
                Part::Node(id) => {
                    by_data_id.insert(id.clone(), element);
                    classes.entry(id).or_default().element = Some(element);
                }
                Part::Group(id) => {
                    by_data_id.insert(id.clone(), element);
                }
                Part::Row { node, method, .. } => {
                    let class = classes.entry(node).or_default();
                    if *method { &mut class.methods } else { &mut class.attributes }.push(element);
                }
                Part::Edge { from, to, nth, ordinal } => {
                    // Flowcharts count lines between the same two boxes, class diagrams count all lines from 1.
                    by_data_id.insert(format!("L_{from}_{to}_{nth}"), element);
                    by_data_id.insert(format!("id_{from}_{to}_{}", ordinal + 1), element);
                }
            }
        }
        Pass {
            by_data_id,
            classes,
            prefix: format!("{}-classId-", job.id),
            ids: Ids(job.id),
            place: job.place,
            baselines: job.place == Place::Painter,
            frame,
            open: Vec::new(),
        }
    }

    fn in_style(&self) -> bool {
        self.open.last().is_some_and(|open| open.style)
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<BytesStart<'static>, String> {
        let cleaned = self.element(start)?;
        let mut open = Open { style: start.name().as_ref() == "style", class: None };
        let id = attribute(start, "id");
        if let Some(name) =
            id.as_deref().and_then(|id| id.strip_prefix(&self.prefix)).and_then(|id| id.rsplit_once('-'))
        {
            open.class = self.classes.get_key_value(name.0).map(|(name, _)| (*name, 0, 0));
        }
        self.open.push(open);
        Ok(cleaned)
    }

    fn close(&mut self) {
        self.open.pop();
    }

    /// The element with the attributes that may stay, and its mark.
    fn element(&mut self, start: &BytesStart<'_>) -> Result<BytesStart<'static>, String> {
        let name = written_name(start.name().as_ref()).to_owned();
        let nested = name == "svg" && !self.open.is_empty();
        let mut cleaned = BytesStart::new(name);
        let root = self.open.is_empty();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            if root && matches!(attribute.key.as_ref(), "width" | "height" | "viewBox" | "style") {
                continue;
            }
            if let Some(attribute) = self.allowed(&attribute) {
                cleaned.push_attribute(attribute);
            }
        }
        if root && attribute(start, "font-family").is_none() {
            // Some kinds name no font at all, and a viewer would take its own.
            cleaned.push_attribute(("font-family", fonts::STACK));
        }
        if root && let Some([x, y, width, height]) = self.frame {
            cleaned.push_attribute(("viewBox", format!("{x} {y} {width} {height}").as_str()));
            // Alone, a picture has the size it was drawn for; in a page it fits itself in.
            match self.place != Place::Page {
                true => {
                    cleaned.push_attribute(("width", width.to_string().as_str()));
                    cleaned.push_attribute(("height", height.to_string().as_str()));
                }
                false => {
                    cleaned.push_attribute(("width", "100%"));
                    cleaned.push_attribute(("style", format!("max-width:{width}px").as_str()));
                }
            }
        }
        if nested {
            // Labels are measured to the last unit; a viewer with other rounding must not cut them.
            cleaned.push_attribute(("overflow", "visible"));
        }
        if let Some(element) = self.mark(start) {
            cleaned.push_attribute(("data-element", element.as_str()));
        }
        Ok(cleaned)
    }

    /// CSS that reaches nothing outside of the picture, with one font. It is neither escaped before nor after.
    fn css(&self, css: &str) -> String {
        let css = one_font(&css::safe(css));
        if self.baselines { css } else { text_place::without_baseline(css) }
    }

    /// An attribute that may stay, with a value that reaches nothing outside.
    fn allowed<'s>(&self, attribute: &Attribute<'s>) -> Option<Attribute<'s>> {
        let value = attribute.value.as_ref();
        let lower = attribute.key.as_ref().to_ascii_lowercase();
        if lower.starts_with("on")
            || lower.starts_with("data-merman")
            || matches!(
                lower.as_str(),
                "data-points" | "xml:base" | "requiredfeatures" | "requiredextensions" | "systemlanguage"
            )
            || !self.baselines && text_place::names_baseline(&lower)
        {
            return None;
        }
        let with = |value: String| Some(Attribute { key: attribute.key, value: Cow::Owned(value) });
        match lower.as_str() {
            "id" => with(self.ids.own(value)),
            "href" | "xlink:href" => with(format!("#{}", self.ids.own(value.strip_prefix('#')?))),
            "aria-labelledby" | "aria-describedby" | "aria-controls" | "aria-owns" => {
                with(value.split_whitespace().map(|id| self.ids.own(id)).collect::<Vec<_>>().join(" "))
            }
            "xmlns" | "xmlns:xlink" => Some(attribute.clone()),
            "font-family" => Some(Attribute { key: attribute.key, value: Cow::Borrowed(fonts::STACK) }),
            // How high an x is, viewers disagree on; half the size of the font is what most of them take.
            "font-size" => {
                let size = value.strip_suffix("ex").and_then(|size| size.trim().parse::<f64>().ok());
                let value =
                    size.map_or(attribute.value.clone(), |size| Cow::Owned(format!("{}em", size / 2.0)));
                Some(Attribute { key: attribute.key, value })
            }
            "style" | "fill" | "stroke" | "filter" | "mask" | "clip-path" | "marker" | "marker-start"
            | "marker-mid" | "marker-end" | "cursor" | "color" | "stop-color" | "flood-color"
            | "lighting-color" => {
                let css = self.css(&unescape(value).ok()?);
                let css = self.ids.own_addresses(css);
                with(css.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"))
            }
            _ if value.contains("javascript:") => None,
            _ => Some(attribute.clone()),
        }
    }

    fn mark(&mut self, start: &BytesStart<'_>) -> Option<String> {
        if let Some(id) = attribute(start, "data-id")
            && let Some(element) = self.by_data_id.get(id.as_ref())
        {
            return Some((*element).to_owned());
        }
        if let Some(id) = attribute(start, "id")
            && let Some((name, _)) = id.strip_prefix(&self.prefix).and_then(|id| id.rsplit_once('-'))
        {
            return self.classes.get(name).and_then(|class| class.element).map(str::to_owned);
        }
        // Rows of a class are labels in the order of the text.
        attribute(start, "data-merman-foreignobject")?;
        let groups = attribute(start, "data-merman-source-classes")?;
        let (class, attributes, methods) = self.open.iter_mut().rev().find_map(|open| open.class.as_mut())?;
        let marks = self.classes.get(class)?;
        let (rows, seen) = if groups.contains("members-group") {
            (&marks.attributes, attributes)
        } else if groups.contains("methods-group") {
            (&marks.methods, methods)
        } else {
            return None;
        };
        let element = rows.get(*seen).copied();
        *seen += 1;
        element.map(str::to_owned)
    }
}

fn attribute<'s>(start: &'s BytesStart<'_>, name: &str) -> Option<Cow<'s, str>> {
    start.try_get_attribute(name).ok().flatten().map(|attribute| attribute.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn css_behind_references_and_elements_is_read_as_a_browser_reads_it() {
        let job = Job { marks: &[], id: "p", frame: None, place: Place::Page, plans: None };
        for (svg, expected) in [
            ("<svg><rect fill=\"&#117;rl(//x)\"/></svg>", "fill=\"none\""),
            ("<svg><rect style=\"fill:url(&quot;//x&quot;)\"/></svg>", "style=\"fill:none\""),
            ("<svg><rect style=\"fill:url(&quot;#x&quot;)\"/></svg>", "style=\"fill:url(&quot;#p-x&quot;)\""),
            ("<svg><rect cursor=\"url(//x),auto\"/></svg>", "cursor=\"none,auto\""),
            ("<svg><style>a{fill:&#117;rl(//x)}</style></svg>", "<style>a{fill:none}</style>"),
            ("<svg><style>a{fill:u<g/>rl(//x)}</style></svg>", "<style>a{fill:none}</style>"),
            ("<svg><style>a{fill:u<!-- -->rl(//x)}</style></svg>", "<style>a{fill:none}</style>"),
            ("<svg><style>@imp<g>x</g>ort '//x';a&gt;b{}</style></svg>", "<style>a>b{}</style>"),
            ("<svg><g xml:base=\"//x\"><use href=\"#a\"/></g></svg>", "<g><use href=\"#p-a\"/></g>"),
        ] {
            let cleaned = clean(svg, &job).unwrap();
            assert!(cleaned.contains(expected), "{svg}\n{cleaned}");
        }
    }

    #[test]
    fn every_text_has_the_font_it_was_measured_with() {
        for (css, expected) in [
            (
                "#a{font-family:\"trebuchet ms\",verdana;fill:#333}",
                "#a{font-family:Inter, sans-serif;fill:#333}",
            ),
            (
                "fill:red; font-family : &quot;Open Sans&quot;, sans-serif; stroke:none",
                "fill:red; font-family:Inter, sans-serif; stroke:none",
            ),
            ("font-family:&amp;quot;x&amp;quot;", "font-family:Inter, sans-serif"),
            ("#a{font-family:var(--b-font-family)}", "#a{font-family:Inter, sans-serif}"),
            (":root{--b-font-family:x;}", ":root{--b-font-family:x;}"),
            ("fill:red", "fill:red"),
            ("font-family", "font-family"),
        ] {
            assert_eq!(one_font(css), expected, "{css}");
        }
    }
}
