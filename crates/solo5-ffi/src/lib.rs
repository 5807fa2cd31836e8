//! The Solo5 hypercalls.
#![cfg_attr(any(solo5 = "hvt", solo5 = "spt"), no_std)]

#[cfg(any(solo5 = "hvt", solo5 = "spt"))]
pub mod sys;
