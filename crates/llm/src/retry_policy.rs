//! Decides whether a question that may have been charged is sent again.

/// Called before a question is sent again after an attempt that may have cost something (see
/// [`LlmError::may_have_cost`](crate::LlmError::may_have_cost)): a lost connection, a failed server, an unusable
/// reply. The cost of earlier attempts stays unknown; only the last one reports its tokens.
pub trait RetryPolicy: Send {
    /// True if the question may be sent once more. The time this takes counts in
    /// [`Limits::total`](crate::Limits::total).
    fn allow_retry(&mut self) -> impl Future<Output = bool> + Send;
}

#[derive(Debug, Clone, Copy)]
pub struct AlwaysRetry;

impl RetryPolicy for AlwaysRetry {
    async fn allow_retry(&mut self) -> bool {
        true
    }
}
