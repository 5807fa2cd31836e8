//! What strangers may do to the `inetd` example, in bounded bursts: the attacks that `tests/attack` makes one by one,
//! and `soak` all together.
//!
//! Each function returns when its burst is over. What the strangers hold open by then stays open: they are gone, not
//! polite.

mod datagrams;
mod streams;

pub use datagrams::{echo_replies, fragments_without_end, noise, reflections, unknown_neighbours};
pub use streams::{
    ClosedWindow, closed_windows, gaps, half_open, hold, resets, slivers, small_segments,
    time_waits,
};

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::frames::stranger;

/// The ports of `inetd`'s services.
pub mod port {
    /// RFC 862
    pub const ECHO: u16 = 3000;
    /// RFC 863
    pub const DISCARD: u16 = 3009;
    /// RFC 867
    pub const DAYTIME: u16 = 3013;
    /// RFC 864
    pub const CHARGEN: u16 = 3019;
}

/// The unikernel's address.
pub const GUEST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// A service of the unikernel.
pub fn service(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(GUEST, port)
}

/// From where an attack comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strangers {
    /// The number of the first stranger.
    pub first: u32,
    /// How many connections each makes before the next one's turn.
    pub ports_each: u32,
}

impl Strangers {
    /// All from one address, as far as its ports suffice.
    pub const ONE: Self = Self {
        first: 0,
        ports_each: 60_000,
    };

    /// Each connection from an address of its own.
    pub const MANY: Self = Self {
        first: 0,
        ports_each: 1,
    };

    /// The ends of `count` connections.
    pub fn ends(self, count: usize) -> impl Iterator<Item = SocketAddrV4> {
        (0..count as u32).map(move |number| {
            let port = 1024 + number % self.ports_each;
            SocketAddrV4::new(stranger(self.first + number / self.ports_each), port as u16)
        })
    }
}
