//! The events of a project as a stream of server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use utoipa::ToSchema;

use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{
    access::Caller,
    clock::rfc3339,
    event_stream::{self, StreamEvent, Subscription},
};

/// How often the permission of the listener is checked.
const CHECK: Duration = Duration::from_secs(15);
/// The duration of a stream; the listener then authenticates again.
const LONGEST: Duration = Duration::from_secs(600);

/// An event in a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectEventReply {
    /// Id of the audit event. An event may be repeated.
    id: String,
    /// Time of the event.
    at: String,
    /// The action.
    #[schema(example = "diagram.update")]
    action: String,
    /// Id of the resource that was changed.
    subject: String,
    /// Id of the user who acted. Absent for a server without accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
}

/// Stream the events of a project
///
/// Server-sent events: `event` is the action as in the audit log, `data` a `ProjectEventReply`, `id` the position to
/// resume from with `Last-Event-ID`. Delivery is at least once, so that an event may be repeated. The stream ends after
/// 10 minutes at the latest; browsers reconnect automatically.
#[utoipa::path(
    get,
    path = "/api/v1/projects/{project}/events",
    tag = "projects",
    params(
        ("project" = String, Path, description = "Id of the project"),
        (
            "Last-Event-ID" = Option<String>,
            Header,
            description = "`id` of the last event that you received. Leave it out to begin with the next event",
        ),
    ),
    responses(
        (
            status = 200,
            description = "The events, until the stream ends",
            body = ProjectEventReply,
            content_type = "text/event-stream",
        ),
        Problems,
    ),
)]
pub async fn follow_project(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ProblemResponse> {
    let after = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("?").to_owned());
    let following = event_stream::follow_project(&state.app, &caller, &project, after.as_deref()).await?;
    let mut check = interval(CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listener = Listener { state, following, check, ends: Instant::now() + LONGEST, begun: false };
    Ok(Sse::new(stream::unfold(listener, next)).keep_alive(KeepAlive::default()))
}

struct Listener {
    state: AppState,
    following: Subscription,
    check: tokio::time::Interval,
    ends: Instant,
    begun: bool,
}

async fn next(mut listener: Listener) -> Option<(Result<Event, Infallible>, Listener)> {
    if !listener.begun {
        listener.begun = true;
        // Tells the listener that no event is missed from here on.
        return Some((Ok(Event::default().comment("following")), listener));
    }
    loop {
        let Listener { state, following, check, ends, .. } = &mut listener;
        let happened = tokio::select! {
            happened = following.next() => happened?,
            _ = check.tick() => {
                following.check(&state.app).await.ok()?;
                continue;
            }
            () = sleep_until(*ends) => return None,
            () = state.draining.cancelled() => return None,
        };
        // A removed member must not receive later events.
        if happened.event.action.starts_with("member.") {
            following.check(&state.app).await.ok()?;
        }
        return Some((Ok(written(happened)), listener));
    }
}

fn written(happened: StreamEvent) -> Event {
    let StreamEvent { place, event } = happened;
    let reply = ProjectEventReply {
        id: event.id.to_string(),
        at: rfc3339(event.at),
        action: event.action.clone(),
        subject: event.subject.clone(),
        user_id: event.user_id.as_ref().map(|id| id.to_string()),
    };
    let data = serde_json::to_string(&reply).unwrap_or_default();
    Event::default().id(place).event(&event.action).data(data)
}
