//! What happens, told as it happens: to pages and programs that follow a project, and to whoever waits for work.
//!
//! One task for the process follows the audit log, which is written with each change (`store/src/audit.rs`), and hands each event to
//! all who listen. Events of transactions that ran at once may become visible in another order than that of their times, so the
//! last seconds are read again each time. Whoever was away goes on after the last event they saw; an event may then come twice and
//! never not at all.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use store::{AuditEvent, AuditEventId, ProjectId, Role, TimeUs};
use tokio::{sync::broadcast, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Error,
    access::{Caller, enter, enter_any, project_id, store},
    accounts,
};
use crate::app::App;

/// Events of this many seconds are read again, because they may have become visible late.
const OVERLAP_S: i64 = 5;
/// How long to wait when nobody tells of changes: other programs may have written some.
const IDLE: Duration = Duration::from_secs(1);
/// Between two looks, so that many changes at once are read at once.
const PAUSE: Duration = Duration::from_millis(50);
/// So many events are read at once.
const ROWS: i64 = 500;
/// So many events are told at most to whoever was away.
const MAX_MISSED: usize = 5_000;
/// What only owners are told of.
const FOR_OWNERS: [&str; 4] = ["invitation.", "provider_key.", "webhook.", "budget."];

/// Events that were seen, as far back as they may come again.
#[derive(Debug, Default)]
struct Recent {
    ids: HashSet<AuditEventId>,
    order: VecDeque<(TimeUs, AuditEventId)>,
    newest: Option<TimeUs>,
}

impl Recent {
    /// Whether the event is a new one.
    fn add(&mut self, event: &AuditEvent) -> bool {
        let new = self.ids.insert(event.id.clone());
        if new {
            self.order.push_back((event.at, event.id.clone()));
            self.newest = self.newest.max(Some(event.at));
        }
        new
    }

    /// From where to read on. A clock that was ahead and was set back must not hide what happens now.
    fn from(&self, now: TimeUs) -> TimeUs {
        self.newest.unwrap_or(now).min(now).plus_seconds(-OVERLAP_S)
    }

    /// Forgets what is not read again.
    fn forget(&mut self, before: TimeUs) {
        while self.order.front().is_some_and(|(at, _)| *at < before) {
            if let Some((_, id)) = self.order.pop_front() {
                self.ids.remove(&id);
            }
        }
    }
}

/// Follows what is written, until `ending`: tells those who listen, and wakes those who work.
pub async fn follow(app: App, ending: CancellationToken) {
    let Some(store) = app.store.clone() else { return };
    let mut changes = None;
    let mut away = false;
    let mut recent = Recent::default();
    while !ending.is_cancelled() {
        if changes.is_none() {
            match store.listen().await {
                Ok(listening) => {
                    changes = Some(listening);
                    away = false;
                }
                Err(error) if !away => {
                    away = true;
                    tracing::warn!(
                        "Changes are looked for every second until the database tells of them again: {error}"
                    );
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
            recent = Recent::default();
            continue;
        }
        // What cannot be read now is read the next time.
        if let Err(error) = tell(&app, &mut recent).await {
            tracing::debug!("What happened cannot be read now: {error}");
        }
        sleep(PAUSE).await;
    }
}

async fn tell(app: &App, recent: &mut Recent) -> Result<(), Error> {
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

/// Something that happened, as members are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Where to go on after it.
    pub place: String,
    /// The event.
    pub event: Arc<AuditEvent>,
}

/// Follows a project for one member.
#[derive(Debug)]
pub struct Following {
    project: ProjectId,
    caller: Caller,
    owner: bool,
    sent: Recent,
    missed: VecDeque<Arc<AuditEvent>>,
    events: broadcast::Receiver<Arc<AuditEvent>>,
}

/// Begins to follow a project: with what happened since the place of `after`, or with what happens from now on.
///
/// # Errors
/// When the caller may not enter it, or the place is none, or so much happened since that it is better read anew.
pub async fn follow_project(
    app: &App,
    caller: &Caller,
    project: &str,
    after: Option<&str>,
) -> Result<Following, Error> {
    let entered = enter_any(app, caller, &project_id(project)?, Role::Viewer).await?;
    // Listened for before anything is read, so that nothing falls between the two.
    let mut following = Following {
        project: entered.project.id,
        caller: caller.clone(),
        owner: entered.role == Role::Owner,
        sent: Recent::default(),
        missed: VecDeque::new(),
        events: app.events.subscribe(),
    };
    let place = match after {
        None => None,
        Some(text) => Some(place_of(text).ok_or_else(|| {
            Error::invalid(
                "Last-Event-ID",
                "This is not the id of an event of this stream. Leave it out to begin now.",
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
                // It was there before anybody followed.
                None => {
                    following.sent.add(&event);
                }
                Some(_) => following.missed.push_back(Arc::new(event)),
            }
        }
        if following.missed.len() > MAX_MISSED {
            return Err(Error::Conflict(
                "Too much has happened since that event. Read the project anew, and follow it from now on, without `Last-Event-ID`.".to_owned(),
            ));
        }
    }
    Ok(following)
}

fn place_of(text: &str) -> Option<TimeUs> {
    let (at, id) = text.split_once('~')?;
    AuditEventId::parse(id).ok()?;
    Some(TimeUs::from_micros(at.parse().ok()?))
}

impl Following {
    /// The next thing that happened. None when this listener is too far behind: begin again after the last place.
    pub async fn next(&mut self) -> Option<Happened> {
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
                return Some(Happened { place, event });
            }
        }
    }

    /// Whether the caller may still follow: they are a member, and whatever they came with is still good.
    ///
    /// # Errors
    /// When they may not.
    pub async fn check(&mut self, app: &App) -> Result<(), Error> {
        accounts::sign_in::still_good(app, &self.caller).await?;
        let entered = enter(app, &self.caller, &self.project, Role::Viewer).await?;
        self.owner = entered.role == Role::Owner;
        Ok(())
    }
}
