//! What the target `http` has around the server.

pub mod model;
pub mod stack;
