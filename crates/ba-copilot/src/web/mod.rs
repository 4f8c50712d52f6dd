//! The pages, rendered on the server: one file each. They work without scripts; a script only adds comfort.

pub mod assets;
pub mod home;
