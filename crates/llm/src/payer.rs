//! Who pays for questions, and wants to be asked before the same one is paid for twice.
//!
//! Knows no money: what a payer can afford is the caller's business.

/// Is asked before a question is sent again after an attempt that may have cost something (see
/// [`LlmError::may_have_cost`](crate::LlmError::may_have_cost)): a connection that was lost, a server that failed, a reply
/// that is none. What the earlier attempts cost nobody will ever say; only the last one reports its tokens.
pub trait Payer: Send {
    /// Whether the question may be sent once more. The time this takes counts in [`Limits::total`](crate::Limits::total).
    fn pays_again(&mut self) -> impl Future<Output = bool> + Send;
}

/// Pays for every attempt.
#[derive(Debug, Clone, Copy)]
pub struct Unlimited;

impl Payer for Unlimited {
    async fn pays_again(&mut self) -> bool {
        true
    }
}
