//! The typed model of a version that a user wrote, and where its elements come from.

use blueprint::{Blueprint, Element, Kind, Target};
use mermend::{Deadline, DeadlineExceeded};
use store::{JsonText, Version};

use super::{Error, check::too_slow};
use crate::{
    app::App,
    cpu_pool::Use,
    session::{TraceEntry, TracedVersion, carry_trace, keep_trace, trace_elements},
};

/// What is stored beside the text.
pub(super) struct Reading {
    pub(super) blueprint: Option<JsonText>,
    pub(super) trace: JsonText,
}

/// The version before.
#[derive(Clone)]
struct Before {
    code: String,
    blueprint: Option<Blueprint>,
    trace: Vec<TraceEntry>,
}

/// Reads `code` as a diagram of `kind`. Elements that were in the version before keep their sources.
pub(super) async fn read_version(
    app: &App,
    kind: &str,
    code: &str,
    requirement: &str,
    before: Option<&Version>,
) -> Result<Reading, Error> {
    let before = before.map(|version| {
        Ok::<_, Error>(Before {
            code: version.mermaid.clone(),
            blueprint: version.blueprint.as_ref().map(JsonText::decode).transpose()?,
            trace: version.trace.decode()?,
        })
    });
    let before = before.transpose()?;
    let (kind, code, requirement) = (Kind::parse(kind), code.to_owned(), requirement.to_owned());
    let size_bytes = code.len() + requirement.len();
    let deadline = Deadline::after(app.config.check_time());
    let read = move |deadline: &Deadline| read_within(kind, &code, &requirement, before, deadline);
    let (blueprint, trace) = app
        .cpu
        .run(Use::Processor, size_bytes, deadline, read)
        .await?
        .map_err(|DeadlineExceeded| too_slow(app, "code", "The diagram was not read"))?;
    Ok(Reading {
        blueprint: blueprint.as_ref().map(JsonText::encode).transpose()?,
        trace: JsonText::encode(&trace)?,
    })
}

fn read_within(
    kind: Option<Kind>,
    code: &str,
    requirement: &str,
    before: Option<Before>,
    deadline: &Deadline,
) -> Result<(Option<Blueprint>, Vec<TraceEntry>), DeadlineExceeded> {
    let outline = mermend::outline_within(code, deadline)?;
    let read = kind.zip(outline.as_ref()).and_then(|(kind, outline)| blueprint::read(kind, outline));
    let elements = read.as_ref().map(elements_of);
    let trace = match (&elements, before) {
        (None, None) => Vec::new(),
        // The text may be broken for a moment: what is known of its elements stays.
        (None, Some(before)) => keep_trace(&before.trace, requirement),
        (Some(elements), None) => trace_elements(requirement, elements),
        (Some(elements_now), Some(before)) => {
            let outline_before = mermend::outline_within(&before.code, deadline)?;
            let renamed = match (&outline_before, &outline) {
                (Some(old), Some(new)) => mermend::renamed_names(old, new, deadline)?,
                _ => Default::default(),
            };
            let model = before.blueprint.or_else(|| {
                let (kind, outline) = kind.zip(outline_before.as_ref())?;
                blueprint::read(kind, outline)
            });
            let elements_before = model.as_ref().map(elements_of).unwrap_or_default();
            let traced = TracedVersion { elements: &elements_before, trace: &before.trace };
            carry_trace(&traced, &renamed, requirement, elements_now)
        }
    };
    match deadline.exceeded() {
        true => Err(DeadlineExceeded),
        false => Ok((read, trace)),
    }
}

fn elements_of(blueprint: &Blueprint) -> Vec<Element> {
    blueprint::compile(blueprint, Target::Portable).elements
}

/// The elements of a version, with their names in the text; none if it was not read.
pub(super) fn version_elements(version: &Version) -> Result<Vec<Element>, Error> {
    let model = version.blueprint.as_ref().map(JsonText::decode::<Blueprint>).transpose()?;
    Ok(model.as_ref().map(elements_of).unwrap_or_default())
}
