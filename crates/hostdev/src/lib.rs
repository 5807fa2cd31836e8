//! The host side of Solo5's devices on Linux: TAP interfaces and disk images.
//!
//! ```no_run
//! use hostdev::{BlockImage, BlockSize, Tap};
//!
//! let tap = Tap::open("tap100")?;
//! let mut frame = vec![0; usize::from(tap.mtu()) + hostdev::ETHERNET_HEADER_LEN];
//! match tap.read_frame(&mut frame)? {
//!     Some(len) => tap.write_frame(&frame[..len])?,
//!     None => println!("nothing queued on {}", tap.name()),
//! }
//!
//! let disk = BlockImage::open("disk.img".as_ref(), BlockSize::new(512)?)?;
//! let mut sector = [0; 512];
//! disk.read_at(0, &mut sector)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod block;
mod cable;
mod ifreq;
mod mac;
pub mod passt;
mod relay;
mod tap;

pub use block::{BlockError, BlockImage, BlockSize, ImageError, PUNCH_HOLE};
pub use cable::Cable;
pub use mac::{MacAddress, ParseMacError};
pub use passt::Passt;
pub use relay::{End, JoinError, Joint, MAX_STREAM_FRAME, Relay};
pub use tap::{Offload, Tap, TapError};

/// Bytes of an Ethernet header (two addresses and the EtherType), which an MTU does not include.
pub const ETHERNET_HEADER_LEN: usize = 14;

/// Bytes of the header in front of each frame of a TAP interface with offload (`struct virtio_net_hdr` of
/// linux/virtio_net.h, little-endian).
pub const OFFLOAD_HEADER_LEN: usize = 10;
