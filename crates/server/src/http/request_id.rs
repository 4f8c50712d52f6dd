//! The id of one request: in the header `x-request-id`, in the log and in problems.

/// The id of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestId(pub(super) String);
