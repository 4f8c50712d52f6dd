//! What happens in a project, as it happens, for pages and programs that show it (server-sent events).

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
    Shared,
    http::error::{Pending, Problems},
};
use application::{
    access::Caller,
    clock::rfc3339,
    event_stream::{self, StreamEvent, Subscription},
};

/// How often it is looked whether the listener may still listen.
const CHECK: Duration = Duration::from_secs(15);
/// After this time a stream ends, and whoever listens says anew who they are.
const LONGEST: Duration = Duration::from_secs(600);

/// Something that happened in a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectEventReply {
    /// Id of the audit event; the same event may come twice.
    id: String,
    /// When.
    at: String,
    /// What was done.
    #[schema(example = "diagram.update")]
    action: String,
    /// The id of what it was done to.
    subject: String,
    /// Who; not there where nobody has to say who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
}

/// Follow a project
///
/// A stream of server-sent events: `event` is what was done, as in the audit log, `data` a `ProjectEvent`, `id` the place at which
/// `Last-Event-ID` goes on. Events are told at least once, so that one may come twice. The stream ends now and then; browsers
/// open it again by themselves. Each member is told what they may see.
#[utoipa::path(get, path = "/api/v1/projects/{project}/events", operation_id = "follow_project", tag = "projects", params(("project" = String, Path, description = "Its id"), ("Last-Event-ID" = Option<String>, Header, description = "`id` of the last event that was seen; leave it out to begin now")), responses((status = 200, description = "What happens, until the stream ends", body = ProjectEventReply, content_type = "text/event-stream"), Problems))]
pub async fn follow_project(
    State(shared): State<Shared>,
    caller: Caller,
    Path(project): Path<String>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Pending> {
    let after = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("?").to_owned());
    let following = event_stream::follow_project(&shared.app, &caller, &project, after.as_deref()).await?;
    let mut check = interval(CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listener = Listener { shared, following, check, ends: Instant::now() + LONGEST, begun: false };
    Ok(Sse::new(stream::unfold(listener, next)).keep_alive(KeepAlive::default()))
}

/// Somebody who listens.
struct Listener {
    shared: Shared,
    following: Subscription,
    check: tokio::time::Interval,
    ends: Instant,
    begun: bool,
}

async fn next(mut listener: Listener) -> Option<(Result<Event, Infallible>, Listener)> {
    if !listener.begun {
        listener.begun = true;
        // So that whoever listens knows that nothing is missed from here on.
        return Some((Ok(Event::default().comment("following")), listener));
    }
    loop {
        let Listener { shared, following, check, ends, .. } = &mut listener;
        let happened = tokio::select! {
            happened = following.next() => happened?,
            _ = check.tick() => {
                following.check(&shared.app).await.ok()?;
                continue;
            }
            () = sleep_until(*ends) => return None,
            () = shared.draining.cancelled() => return None,
        };
        // Whoever was put out must not be told what happens next.
        if happened.event.action.starts_with("member.") {
            following.check(&shared.app).await.ok()?;
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
