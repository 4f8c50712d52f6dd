//! Which provider, model and key a request uses.

use llm::{Endpoint, ProviderId};
use store::ProjectId;

use super::request::Request;
use crate::{Error, access::Caller, app::App, provider_keys};
use config::provider_names;

/// Whose key pays for a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyOwner {
    /// A key that came with the request: no budget applies.
    Request,
    /// A key that the caller keeps here.
    Person,
    /// The key of the project or of the server.
    Team,
}

/// Who is asked, and whose key is used; `None` for the built-in drafter.
pub(crate) async fn choose_endpoint(
    app: &App,
    caller: &Caller,
    project: &ProjectId,
    request: &Request,
) -> Result<Option<(Endpoint, KeyOwner)>, Error> {
    let provider = match request.provider.as_deref() {
        Some("builtin") => return Ok(None),
        // Whoever is named, the script answers.
        Some(_) if app.scripted => None,
        Some(name) => Some(
            name.parse::<ProviderId>().ok().filter(|id| *id != ProviderId::Scripted).ok_or_else(|| {
                Error::invalid(
                    "provider",
                    format!("There is no provider `{name}`; use builtin, {}.", provider_names().join(", ")),
                )
            })?,
        ),
        None => None,
    };
    // What the caller brings with this request, then what they or the project brought before, then the server's own.
    let brought = match &request.key {
        Some(_) => None,
        None => provider_keys::find_key(app, caller, project, provider).await?,
    };
    let whose = match &brought {
        _ if request.key.is_some() => KeyOwner::Request,
        Some(found) if found.own => KeyOwner::Person,
        _ => KeyOwner::Team,
    };
    if app.scripted {
        return Ok(Some((Endpoint::new(ProviderId::Scripted), whose)));
    }
    let (provider, key) = match brought {
        Some(found) => (Some(found.provider), Some(found.key)),
        None => (provider.or_else(|| app.config.default_provider()), request.key.clone()),
    };
    let Some(provider) = provider else { return Ok(None) };
    let mut endpoint = app.config.endpoint(provider);
    if let Some(model) = request.model.as_deref().filter(|model| !model.is_empty()) {
        endpoint = endpoint.with_model(model);
    }
    if let Some(key) = key {
        endpoint = endpoint.with_key(key);
    }
    Ok(Some((endpoint, whose)))
}
