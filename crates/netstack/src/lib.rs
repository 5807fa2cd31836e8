//! A TCP/IP stack in layers that are each useful alone.
#![forbid(unsafe_code)]

pub mod busy_poll;
mod delay;
mod device;
mod listener;
mod pool;
pub mod proto;
#[cfg(feature = "dns")]
mod resolver;
mod runner;
mod shared;
mod stack;
mod stream;
mod udp_socket;

pub use device::{FrameDevice, Timer};
pub use listener::TcpListener;
pub use pool::FramePool;
#[cfg(feature = "dns")]
pub use resolver::Resolver;
pub use runner::Runner;
pub use stack::{Config, Stack};
pub use stream::{ReadHalf, TcpStream, WriteHalf};
pub use udp_socket::UdpSocket;
