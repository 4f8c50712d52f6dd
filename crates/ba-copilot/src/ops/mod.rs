//! What an operator does with an installation as a whole, beside `service`, which is about what is in it. May name the store and the
//! file system; never a door.

pub mod backup;
