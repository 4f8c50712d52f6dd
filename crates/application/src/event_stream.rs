//! Live events: server-sent events for clients that follow a project, and wake-ups for job workers.
//!
//! One task per process polls the audit log, which is written in the transaction of each change
//! (`store/src/audit.rs`), and publishes new events. Concurrent transactions may become visible out of order, so the
//! last seconds are read again each time. A client that reconnects continues after its last event; it may receive an
//! event twice and misses none.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use secrecy::ExposeSecret;
use store::{AuditEvent, AuditEventId, ProjectId, Role, TimeUs};
use tokio::{sync::broadcast, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Error,
    access::{Caller, authorize_project, authorize_project_any_state, project_id, store},
    accounts,
};
use crate::app::App;

/// Events may become visible this many seconds late, so this period is read again.
const OVERLAP_S: i64 = 5;
/// Poll interval without notifications: other processes may have written events.
const IDLE: Duration = Duration::from_secs(1);
/// Delay between polls, to batch changes.
const PAUSE: Duration = Duration::from_millis(50);
/// Events read at once.
const ROWS: i64 = 500;
/// Most events replayed to a client that reconnects.
const MAX_MISSED: usize = 5_000;
/// Actions that only owners may see.
const FOR_OWNERS: [&str; 4] = ["invitation.", "provider_key.", "webhook.", "budget."];

/// Published events of the period that is read again.
#[derive(Debug, Default)]
struct RecentEvents {
    ids: HashSet<AuditEventId>,
    order: VecDeque<(TimeUs, AuditEventId)>,
    newest: Option<TimeUs>,
}

impl RecentEvents {
    /// Returns whether the event is new.
    fn add(&mut self, event: &AuditEvent) -> bool {
        let new = self.ids.insert(event.id.clone());
        if new {
            self.order.push_back((event.at, event.id.clone()));
            self.newest = self.newest.max(Some(event.at));
        }
        new
    }

    /// Start of the next read. A clock that was set back must not hide new events.
    fn from(&self, now: TimeUs) -> TimeUs {
        self.newest.unwrap_or(now).min(now).plus_seconds(-OVERLAP_S)
    }

    /// Drops events before the period that is read again.
    fn forget(&mut self, before: TimeUs) {
        while self.order.front().is_some_and(|(at, _)| *at < before) {
            if let Some((_, id)) = self.order.pop_front() {
                self.ids.remove(&id);
            }
        }
    }
}

/// Publishes new audit events to subscribers and wakes job workers, until `ending`.
pub async fn follow(app: App, ending: CancellationToken) {
    let Some(store) = app.store.clone() else { return };
    let direct_url = app.config.data.direct_url.expose_secret();
    let direct_url = Some(direct_url).filter(|url| !url.is_empty());
    let mut changes = None;
    let mut away = false;
    let mut recent = RecentEvents::default();
    while !ending.is_cancelled() {
        if changes.is_none() {
            match store.listen(direct_url).await {
                Ok(listening) => {
                    changes = Some(listening);
                    away = false;
                }
                Err(error) if !away => {
                    away = true;
                    tracing::warn!("Database notifications are unavailable; polling every second: {error}");
                }
                Err(_) => (),
            }
        }
        let heard = async {
            match &mut changes {
                Some(changes) => changes.next().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        let connected = tokio::select! {
            heard = heard => heard,
            () = sleep(IDLE) => true,
            () = ending.cancelled() => break,
        };
        if !connected {
            changes = None;
        }
        app.events.wake_workers();
        if !app.events.has_subscribers() {
            recent = RecentEvents::default();
            continue;
        }
        // A failed read is repeated at the next poll.
        if let Err(error) = publish_new_events(&app, &mut recent).await {
            tracing::debug!("Reading audit events failed: {error}");
        }
        sleep(PAUSE).await;
    }
}

async fn publish_new_events(app: &App, recent: &mut RecentEvents) -> Result<(), Error> {
    let store = store(app)?;
    let begin = recent.from(app.clock.now_us());
    let (mut at, mut after) = (begin, String::new());
    loop {
        let events = store.list_audit_events_since(None, at, &after, ROWS).await?;
        let Some(last) = events.last() else { break };
        (at, after) = (last.at, last.id.to_string());
        let full = events.len() >= usize::try_from(ROWS).unwrap_or(usize::MAX);
        for event in events {
            if recent.add(&event) {
                app.events.publish(Arc::new(event));
            }
        }
        if !full {
            break;
        }
    }
    recent.forget(begin);
    Ok(())
}

/// An event as members of the project see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEvent {
    /// Position in the stream: the `Last-Event-ID` to continue with.
    pub place: String,
    pub event: Arc<AuditEvent>,
}

/// Subscription of one member to a project.
#[derive(Debug)]
pub struct Subscription {
    project: ProjectId,
    caller: Caller,
    owner: bool,
    sent: RecentEvents,
    missed: VecDeque<Arc<AuditEvent>>,
    events: broadcast::Receiver<Arc<AuditEvent>>,
}

/// Subscribes to a project, from the position `after` or from now on.
pub async fn follow_project(
    app: &App,
    caller: &Caller,
    project: &str,
    after: Option<&str>,
) -> Result<Subscription, Error> {
    let access = authorize_project_any_state(app, caller, &project_id(project)?, Role::Viewer).await?;
    // Subscribed before reading, so that no event is missed between the two.
    let mut following = Subscription {
        project: access.project.id,
        caller: caller.clone(),
        owner: access.role == Role::Owner,
        sent: RecentEvents::default(),
        missed: VecDeque::new(),
        events: app.events.subscribe(),
    };
    let place = match after {
        None => None,
        Some(text) => Some(parse_cursor(text).ok_or_else(|| {
            Error::invalid(
                "Last-Event-ID",
                "This is not the id of an event of this stream. Omit it to start from now.",
            )
        })?),
    };
    let now = app.clock.now_us();
    let from = place.unwrap_or(now).min(now).plus_seconds(-OVERLAP_S);
    let (mut at, mut id) = (from, String::new());
    loop {
        let events = store(app)?.list_audit_events_since(Some(&following.project), at, &id, ROWS).await?;
        let Some(last) = events.last() else { break };
        (at, id) = (last.at, last.id.to_string());
        for event in events {
            match place {
                // Events from before the subscription are not new.
                None => {
                    following.sent.add(&event);
                }
                Some(_) => following.missed.push_back(Arc::new(event)),
            }
        }
        if following.missed.len() > MAX_MISSED {
            return Err(Error::Conflict(
                "Too many events followed that event. Read the project again, then subscribe without \
                 `Last-Event-ID`."
                    .to_owned(),
            ));
        }
    }
    Ok(following)
}

fn parse_cursor(text: &str) -> Option<TimeUs> {
    let (at, id) = text.split_once('~')?;
    AuditEventId::parse(id).ok()?;
    Some(TimeUs::from_micros(at.parse().ok()?))
}

impl Subscription {
    /// The next event; `None` if this subscriber lags too far behind and has to reconnect after its last position.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        loop {
            let event = match self.missed.pop_front() {
                Some(event) => event,
                None => self.events.recv().await.ok()?,
            };
            let mine = event.project_id.as_ref() == Some(&self.project);
            let open = self.owner || !FOR_OWNERS.iter().any(|start| event.action.starts_with(start));
            if mine && open && self.sent.add(&event) {
                self.sent.forget(event.at.plus_seconds(-4 * OVERLAP_S));
                let place = format!("{}~{}", event.at.as_micros(), event.id);
                return Some(StreamEvent { place, event });
            }
        }
    }

    /// Checks that the caller is still a member and the credentials are still valid.
    pub async fn check(&mut self, app: &App) -> Result<(), Error> {
        accounts::sign_in::verify_credentials(app, &self.caller).await?;
        let access = authorize_project(app, &self.caller, &self.project, Role::Viewer).await?;
        self.owner = access.role == Role::Owner;
        Ok(())
    }
}
