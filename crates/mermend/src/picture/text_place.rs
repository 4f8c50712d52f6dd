//! Writes the texts of a picture so that every viewer puts them at the same place: without `dominant-baseline` and
//! `alignment-baseline`, which many do not know, and with the direction of the text.

use quick_xml::events::{BytesStart, Event, attributes::Attribute};
use resvg::usvg::TextAnchor;

use super::text_plan::TextPlan;

/// The properties that name a baseline.
const BASELINES: [&str; 2] = ["dominant-baseline", "alignment-baseline"];

pub(super) fn names_baseline(attribute: &str) -> bool {
    BASELINES.contains(&attribute)
}

/// Whether an attribute places a text.
pub(super) fn is_position(attribute: &str) -> bool {
    matches!(attribute, "x" | "y" | "dx" | "dy" | "rotate" | "textLength" | "lengthAdjust")
}

/// CSS without declarations that name a baseline.
pub(super) fn without_baseline(css: String) -> String {
    if !BASELINES.iter().any(|name| css.contains(name)) {
        return css;
    }
    let mut out = String::with_capacity(css.len());
    for (at, block) in css.split_inclusive(['{', '}', ';']).enumerate() {
        let name = block.split(':').next().unwrap_or_default().trim();
        match BASELINES.contains(&name) && (at == 0 || !block.ends_with('{')) {
            true => out.extend(block.chars().last().filter(|last| matches!(last, '}'))),
            false => out.push_str(block),
        }
    }
    out
}

/// The events of a `text` element, from its start to its end, with the baseline and the direction of its plan.
pub(super) fn place(mut events: Vec<Event<'static>>, plan: &TextPlan) -> Vec<Event<'static>> {
    if let Some(shift) = plan.shift {
        move_down(&mut events, shift, plan.size);
    }
    if plan.rtl {
        events.iter_mut().for_each(|event| turn(event, plan.anchor));
    }
    events
}

/// Moves the text down by `shift`, for a font size of 1. What comes after the first character of a line follows it,
/// unless it has a place of its own.
fn move_down(events: &mut [Event<'static>], shift: f64, size: f64) {
    // The elements that begin where the next character does, the innermost last.
    let mut open: Vec<usize> = Vec::new();
    // A character is to come whose place is absolute.
    let mut pending = false;
    let mut moves: Vec<usize> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Start(start) => {
                if at == 0 || value(start, "y").is_some() {
                    pending = true;
                    open.clear();
                }
                open.push(at);
            }
            Event::End(_) => {
                open.pop();
            }
            Event::Text(_) | Event::GeneralRef(_) if pending => {
                pending = false;
                let has_dy = |at: &&usize| match &events[**at] {
                    Event::Start(start) => value(start, "dy").is_some(),
                    _ => false,
                };
                moves.extend(open.iter().rev().find(has_dy).or(open.first()));
            }
            _ => {}
        }
    }
    for at in moves {
        if let Event::Start(start) = &mut events[at] {
            let dy = moved(value(start, "dy").as_deref(), shift, size);
            *start = with(start, "dy", &dy);
        }
    }
}

/// The first length of a list plus a shift.
fn moved(list: Option<&str>, shift: f64, size: f64) -> String {
    let list = list.unwrap_or("0em");
    let (first, rest) =
        list.trim().split_once([' ', ',']).map_or((list.trim(), ""), |(first, rest)| (first, rest));
    let round = |number: f64| (number * 10_000.0).round() / 10_000.0;
    let first = match first.strip_suffix("em") {
        Some(number) => format!("{}em", round(number.parse().unwrap_or(0.0) + shift)),
        None => round(first.trim_end_matches("px").parse().unwrap_or(0.0) + shift * size).to_string(),
    };
    if rest.is_empty() { first } else { format!("{first} {rest}") }
}

/// Makes an element run from right to left. Its start is at the right then, so that its anchor is the other one.
fn turn(event: &mut Event<'static>, anchor: TextAnchor) {
    let (Event::Start(start) | Event::Empty(start)) = event else {
        return;
    };
    let anchor = match anchor {
        TextAnchor::Start => "end",
        TextAnchor::Middle => "middle",
        TextAnchor::End => "start",
    };
    let style = value(start, "style").unwrap_or_default();
    let kept = style.split(';').filter(|declaration| !declaration.trim_start().starts_with("text-anchor"));
    let mut style = kept
        .filter(|declaration| !declaration.trim().is_empty())
        .fold(String::new(), |all, one| all + one + ";");
    style.push_str(&format!("direction:rtl;text-anchor:{anchor}"));
    let turned = with(&with(start, "direction", "rtl"), "text-anchor", anchor);
    *start = with(&turned, "style", &style);
}

fn value(start: &BytesStart<'_>, name: &str) -> Option<String> {
    start.try_get_attribute(name).ok().flatten().map(|attribute| attribute.value.into_owned())
}

/// The element with this value, which is written as it is, in place of the one that it has.
pub(super) fn with(start: &BytesStart<'static>, name: &str, value: &str) -> BytesStart<'static> {
    let mut out = BytesStart::new(start.name().as_ref().to_owned());
    for attribute in start.attributes().flatten().filter(|attribute| attribute.key.as_ref() != name) {
        out.push_attribute(attribute);
    }
    out.push_attribute(Attribute { key: quick_xml::name::QName(name), value: value.to_owned().into() });
    out
}
