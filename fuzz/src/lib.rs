//! What fuzz targets share: memory that is counted, and panics of others that are contained.

pub mod memory;
pub mod panics;
