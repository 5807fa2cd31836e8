//! What the source must look like, read from the source.
//!
//! - [`wings`]: every arrow between the rooms of netstack points down.
//! - [`lengths`]: no module and no function is long.

mod arrows;
mod lengths;
mod sources;
mod wings;
