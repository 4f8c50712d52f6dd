//! Attacks, one kind a file: what a review of the running program tried, and what is of the same kind.

mod credentials;
mod invitations;
mod races;
