//! Writing a finished generation, its diagram and its first version, in one transaction.

use std::time::Duration;

use llm::Usage;
use serde_json::json;
use store::{
    DiagramId, GenerationId, GenerationStatus, JsonText, NewDiagram, NewGeneration, NewVersion, ProjectId,
    VersionId, VersionOf,
};

use super::{request::Request, spans};
use crate::{
    Error,
    access::Caller,
    app::App,
    check::Validator,
    session::{Outcome, Written},
};

/// How long the database may take to say that it is there.
const PING_TIME: Duration = Duration::from_secs(5);

/// A generation that is about to be written.
pub(super) struct GenerationRecord<'a> {
    pub(super) app: &'a App,
    pub(super) caller: &'a Caller,
    pub(super) request: &'a Request,
    pub(super) project: ProjectId,
    pub(super) provider: &'a str,
    pub(super) model: &'a str,
    pub(super) usage: Usage,
    pub(super) duration_us: i64,
    pub(super) begun: store::TimeUs,
}

impl GenerationRecord<'_> {
    /// Writes the generation and its version.
    pub(super) async fn store(
        self,
        message: &str,
        result: Result<&(Outcome, Validator), &Error>,
    ) -> Result<(String, Option<String>), Error> {
        let app = self.app;
        let id = app.clock.new_id("gen");
        let Some(store) = &app.store else { return Ok((id, None)) };
        let kind = self.request.kind.row();
        let project = self.project.clone();
        let (outcome, validator) = result.ok().map(|(outcome, by)| (outcome, by)).unzip();
        let version = match outcome {
            None => None,
            Some(outcome) => Some(NewVersion {
                id: VersionId::parse(app.clock.new_id("ver"))?,
                of: VersionOf::New(NewDiagram {
                    id: DiagramId::parse(app.clock.new_id("dia"))?,
                    project_id: project.clone(),
                    kind: kind.id.to_owned(),
                    title: title(message),
                    folder_id: None,
                }),
                requirement: message.to_owned(),
                blueprint: outcome.blueprint.as_ref().map(JsonText::encode).transpose()?,
                mermaid: outcome.text.replace('\0', ""),
                validated: outcome.checked.validated(),
                findings: JsonText::encode(&outcome.findings)?,
                trace: JsonText::encode(&outcome.trace)?,
                created_by: self.caller.user_id().cloned(),
                note: None,
            }),
        };
        let generation = NewGeneration {
            id: GenerationId::parse(id.clone())?,
            project_id: Some(project.clone()),
            content_id: self.request.content_id.as_ref().map(|id| id.replace('\0', "")),
            diagram_id: None,
            kind: kind.id.to_owned(),
            status: match outcome {
                Some(outcome) if outcome.written == Written::Fallback => GenerationStatus::FellBack,
                Some(_) => GenerationStatus::Succeeded,
                None => GenerationStatus::Failed,
            },
            request: message.to_owned(),
            provider: self.provider.to_owned(),
            model: self.model.to_owned(),
            validator: validator.map(|by| JsonText::encode(&by.to_json())).transpose()?,
            retry_count: outcome.map_or(0, |outcome| outcome.retry_count),
            repairs: JsonText::encode(outcome.map(|outcome| outcome.repairs.as_slice()).unwrap_or_default())?,
            warning: outcome.and_then(|outcome| outcome.warning.clone()),
            error_code: result.err().map(|error| error.code().to_owned()),
            input_tokens: u32::try_from(self.usage.input_tokens).unwrap_or(u32::MAX),
            output_tokens: u32::try_from(self.usage.output_tokens).unwrap_or(u32::MAX),
            cost_micro_usd: self.usage.cost_micro_usd.and_then(|cost| i64::try_from(cost).ok()),
            duration_us: self.duration_us,
            created_at: self.begun,
            created_by: self.caller.user_id().cloned(),
        };
        let details = json!({
            "provider": self.provider,
            "model": self.model,
            "input_tokens": generation.input_tokens,
            "output_tokens": generation.output_tokens,
            "cost_micro_usd": generation.cost_micro_usd,
            "status": generation.status.as_str(),
        });
        let event = self.caller.did(app, "generation.create", Some(&project), &id, &details)?;
        // A database file that was deleted under a running program still takes writes, and loses them.
        store.ping(PING_TIME).await?;
        let told = spans::database(store, "record_generation");
        let recorded = told.around(store.record_generation(generation, version, &event)).await?;
        Ok((id, recorded.diagram.map(|diagram| diagram.id.to_string())))
    }
}

/// The beginning of the requirements, for lists.
fn title(message: &str) -> String {
    let mut title: String = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = title.char_indices().nth(80) {
        title.truncate(end);
        title.push('…');
    }
    title
}
