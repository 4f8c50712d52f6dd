//! Audit events inside the process: published to subscribers, and a signal for workers that jobs may wait.

use std::sync::Arc;

use store::AuditEvent;
use tokio::sync::{Notify, broadcast};

/// The number of events that a subscriber may lag behind before it has to start again.
const CAPACITY: usize = 1024;

/// Publishes events and wakes workers.
#[derive(Clone)]
pub struct EventBus {
    events: broadcast::Sender<Arc<AuditEvent>>,
    work: Arc<Notify>,
}

impl std::fmt::Debug for EventBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventBus")
    }
}

impl Default for EventBus {
    fn default() -> Self {
        EventBus { events: broadcast::Sender::new(CAPACITY), work: Arc::default() }
    }
}

impl EventBus {
    /// Signals that a job may wait.
    pub fn wake_workers(&self) {
        self.work.notify_waiters();
    }

    /// Completes at the next [`EventBus::wake_workers`] after this call.
    pub fn work_signal(&self) -> impl Future<Output = ()> + use<> {
        Arc::clone(&self.work).notified_owned()
    }

    pub(crate) fn has_subscribers(&self) -> bool {
        self.events.receiver_count() > 0
    }

    pub(crate) fn publish(&self, event: Arc<AuditEvent>) {
        // An error means that no one subscribes, which is no failure.
        let _ = self.events.send(event);
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<AuditEvent>> {
        self.events.subscribe()
    }
}
