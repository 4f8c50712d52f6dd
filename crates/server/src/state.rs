//! What handlers share.

use std::sync::Arc;

use application::{app::App, health::Probes, rate_limits::Limiter, standby::Standby};
use config::Role;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

/// What handlers share.
#[derive(Clone)]
pub struct AppState {
    pub app: App,
    /// Which parts of the product this process serves.
    pub role: Role,
    pub probes: Probes,
    /// None if the recorder could not be installed at start.
    pub metrics: Option<PrometheusHandle>,
    pub limiter: Arc<Limiter>,
    /// On while another process serves and this one waits.
    pub standby: Standby,
    /// Cancelled before the process ends: requests are still answered, and each answer closes its connection.
    pub leaving: CancellationToken,
    /// Cancelled when no new work is accepted any more.
    pub draining: CancellationToken,
}
