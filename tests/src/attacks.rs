//! What strangers may do to the `inetd` example, in bounded bursts: the attacks that `tests/attack` makes one by one,
//! and `soak` all together.
//!
//! Each function returns when its burst is over. What the strangers hold open by then stays open: they are gone, not
//! polite.

mod datagrams;
mod discovery;
mod streams;

pub use datagrams::{
    echo_replies, flood, fragments_without_end, noise, reflections, unknown_neighbours,
};
pub use discovery::{fragments, redirects, router_advertisements, solicitations};
pub use streams::{
    ClosedWindow, closed_windows, dropped, gaps, half_open, hold, resets, slivers, small_segments,
    time_waits,
};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use crate::frames::{stranger, stranger_v6};

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
/// Its address of IPv6.
pub const GUEST_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

/// A service of the unikernel.
pub fn service(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(GUEST, port)
}

/// Over what an attack comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// RFC 791
    V4,
    /// RFC 8200
    V6,
}

/// From where an attack comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strangers {
    /// Over what.
    pub family: Family,
    /// The number of the first stranger.
    pub first: u32,
    /// How many connections each makes before the next one's turn.
    pub ports_each: u32,
}

impl Strangers {
    /// All from one address, as far as its ports suffice.
    pub const ONE: Self = Self {
        family: Family::V4,
        first: 0,
        ports_each: 60_000,
    };

    /// Each connection from an address of its own.
    pub const MANY: Self = Self {
        family: Family::V4,
        first: 0,
        ports_each: 1,
    };

    /// The same over this family.
    pub const fn over(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// The unikernel's address.
    pub fn guest(self) -> IpAddr {
        match self.family {
            Family::V4 => GUEST.into(),
            Family::V6 => GUEST_V6.into(),
        }
    }

    /// A service of the unikernel.
    pub fn service(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.guest(), port)
    }

    /// The stranger with this number.
    pub fn stranger(self, number: u32) -> IpAddr {
        match self.family {
            Family::V4 => stranger(number).into(),
            Family::V6 => stranger_v6(number).into(),
        }
    }

    /// The ends of `count` connections.
    pub fn ends(self, count: usize) -> impl Iterator<Item = SocketAddr> {
        (0..count as u32).map(move |number| {
            let port = 1024 + number % self.ports_each;
            let stranger = self.stranger(self.first + number / self.ports_each);
            SocketAddr::new(stranger, port as u16)
        })
    }
}
