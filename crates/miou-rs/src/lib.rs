//! miou-rs
