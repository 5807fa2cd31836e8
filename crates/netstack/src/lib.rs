//! A TCP/IP stack in layers that are each useful alone: a core without sockets, clock or device
//! ([`proto`]), and async sockets over it ([`Stack`], [`TcpListener`], [`TcpStream`],
//! [`UdpSocket`]) that need only a [`FrameDevice`] and a [`Timer`].
//!
//! ```no_run
//! use netstack::{Config, FrameDevice, Stack, TcpListener, Timer};
//!
//! async fn echo(
//!     device: impl FrameDevice + 'static,
//!     timer: impl Timer + 'static,
//!     spawn: impl FnOnce(netstack::Runner),
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let config = Config::default().address("10.0.0.2/24".parse()?);
//!     let stack = Stack::start(device, timer, config, spawn)?;
//!     let listener = TcpListener::bind(&stack, ([0, 0, 0, 0], 7))?;
//!     let (stream, _) = listener.accept().await?;
//!     while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
//!         stream.write_chunk(chunk).await?;
//!     }
//!     Ok(())
//! }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

#[macro_use]
mod setters;

mod device;
mod driver;
pub mod proto;
mod sockets;

pub use device::{FrameDevice, Received, Timer};
pub use driver::address_events::AddressEvent;
pub use driver::pool::FramePool;
pub use driver::runner::Runner;
pub use proto::interface::Ipv6;
pub use sockets::address_events::AddressEvents;
pub use sockets::config::Config;
pub use sockets::listener::{Incoming, TcpListener};
#[cfg(feature = "dns")]
pub use sockets::resolver::Resolver;
pub use sockets::stack::Stack;
pub use sockets::stream::{
    OwnedReadHalf, OwnedWriteHalf, ReadHalf, TcpStream, WriteHalf, copy_bidirectional,
};
pub use sockets::udp::UdpSocket;
