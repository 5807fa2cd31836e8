//! What the source must look like, read from the source.
//!
//! - [`wings`]: every arrow between the rooms of netstack points down.
//! - [`lengths`]: no module and no function is long.
//! - [`links`]: what documents point to is there, and the book lists its pages.

mod arrows;
mod lengths;
mod links;
mod sources;
mod wings;
