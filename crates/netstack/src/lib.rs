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
//!     spawn: impl Fn(netstack::Runner),
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut config = Config::default();
//!     config.address = Some("10.0.0.2/24".parse()?);
//!     let (stack, runner) = Stack::new(device, timer, config)?;
//!     spawn(runner);
//!     let listener = TcpListener::bind(&stack, ([0, 0, 0, 0], 7))?;
//!     let (stream, _) = listener.accept().await?;
//!     while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
//!         stream.write_chunk(chunk).await?;
//!     }
//!     Ok(())
//! }
//! ```
#![forbid(unsafe_code)]

pub mod busy_poll;
mod delay;
mod device;
mod listener;
mod pages;
mod pool;
pub mod proto;
#[cfg(feature = "dns")]
mod resolver;
mod runner;
mod shared;
mod stack;
mod stream;
mod udp_socket;
mod waiters;
mod waiting;

pub use device::{FrameDevice, Received, Timer};
pub use listener::TcpListener;
pub use pool::FramePool;
#[cfg(feature = "dns")]
pub use resolver::Resolver;
pub use runner::Runner;
pub use stack::{Config, Stack};
pub use stream::{ReadHalf, TcpStream, WriteHalf};
pub use udp_socket::UdpSocket;
