//! Attacks on the running product, one kind a file: each failed against the version that had the hole.

mod addresses;
mod cookies;
mod files;
mod guessing;
mod load;
mod mail;
mod redirects;
