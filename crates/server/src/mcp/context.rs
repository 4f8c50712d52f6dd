//! What tools and resources work with.

use application::{access::Caller, app::App};

/// The product and the caller of one request.
#[derive(Clone)]
pub(super) struct CallContext {
    pub(super) app: App,
    pub(super) caller: Caller,
}
