//! OCI images of a unikernel, as `cargo mkernel image` makes them.
//!
//! - [`image`]: makes them, and unpacks them by `tar` alone.
//! - [`container`]: a network namespace as container runtimes make it, and an image's root in it.
//! - [`for_urunc`]: the tender is told what urunc would tell it.
//! - [`own_interface`]: the unikernel has the container's interface.
//! - [`same_octets`]: made twice, they are the same.
//! - `others`, with the feature `long`: skopeo and umoci read them, crun runs them.

mod container;
mod for_urunc;
mod image;
#[cfg(feature = "long")]
mod others;
mod own_interface;
mod same_octets;
