//! The types of the engine's calls: handles, events, states, errors.

use core::fmt;
use core::net::SocketAddr;

/// A connection. It stays valid until [`Tcp::release`](super::Tcp::release), also when the peer or
/// an error has ended the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl ConnectionId {
    /// A small number that no other connection has at the same time: an index for tables of the
    /// caller.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// A listener, until [`Tcp::close_listener`](super::Tcp::close_listener).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl ListenerId {
    /// A small number that no other listener has at the same time.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// What has happened to a connection since the last event: a set of flags.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Readiness(pub(crate) u8);

impl Readiness {
    /// The connection is established.
    pub const CONNECTED: Self = Self(1);
    /// There is something to receive: data, the end of the stream or an error.
    pub const READABLE: Self = Self(2);
    /// There is room in the send buffer, or sending now fails.
    pub const WRITABLE: Self = Self(4);
    /// All data and the FIN were acknowledged, or the connection has ended otherwise.
    pub const FLUSHED: Self = Self(8);
    /// The connection has ended; the error, if any, is in its status.
    pub const CLOSED: Self = Self(16);

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of flags.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether no flag is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::CONNECTED, "CONNECTED"),
            (Self::READABLE, "READABLE"),
            (Self::WRITABLE, "WRITABLE"),
            (Self::FLUSHED, "FLUSHED"),
            (Self::CLOSED, "CLOSED"),
        ];
        f.debug_set()
            .entries(
                names
                    .iter()
                    .filter(|(flag, _)| self.contains(*flag))
                    .map(|(_, name)| name),
            )
            .finish()
    }
}

/// Something that a waiting task wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The connection has changed as the flags say.
    Connection(ConnectionId, Readiness),
    /// A connection waits to be accepted.
    Acceptable(ListenerId),
}

/// Why a call failed or a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// The peer answered the SYN with a reset.
    ConnectionRefused,
    /// The peer reset the connection.
    ConnectionReset,
    /// The connection was aborted on our side.
    ConnectionAborted,
    /// The peer has not answered for too long.
    TimedOut,
    /// Another listener or connection uses these addresses.
    AddrInUse(SocketAddr),
    /// All ephemeral ports to this peer are in use.
    NoPort(SocketAddr),
    /// The local address is not, or no longer, ours; or it is a loopback address and the peer's is
    /// not.
    AddrNotAvailable,
    /// ICMP said that the peer's network is unreachable.
    NetworkUnreachable,
    /// ICMP said that the peer's host is unreachable.
    HostUnreachable,
    /// The connection is not, or no longer, established.
    NotConnected,
    /// The sending side was closed.
    BrokenPipe,
    /// The handle was released before.
    Released,
    /// An argument cannot be used; the text says which and why.
    InvalidInput(&'static str),
    /// The limit of connections or of memory is reached.
    OutOfMemory,
}

/// What can end a connection or trouble it: the errors that a connection keeps, in one octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    ConnectionRefused,
    ConnectionReset,
    ConnectionAborted,
    TimedOut,
    NetworkUnreachable,
    HostUnreachable,
    AddrNotAvailable,
    OutOfMemory,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::ConnectionRefused => Self::ConnectionRefused,
            Failure::ConnectionReset => Self::ConnectionReset,
            Failure::ConnectionAborted => Self::ConnectionAborted,
            Failure::TimedOut => Self::TimedOut,
            Failure::NetworkUnreachable => Self::NetworkUnreachable,
            Failure::HostUnreachable => Self::HostUnreachable,
            Failure::AddrNotAvailable => Self::AddrNotAvailable,
            Failure::OutOfMemory => Self::OutOfMemory,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectionRefused => f.write_str("connection refused by the peer"),
            Self::ConnectionReset => f.write_str("connection reset by the peer"),
            Self::ConnectionAborted => f.write_str("connection aborted on this side"),
            Self::TimedOut => f.write_str("the peer has not answered in time"),
            Self::AddrInUse(address) => write!(f, "address {address} is in use"),
            Self::NoPort(peer) => write!(f, "no ephemeral port is free for a connection to {peer}"),
            Self::AddrNotAvailable => f.write_str("the local address is not, or no longer, ours"),
            Self::NetworkUnreachable => f.write_str("network unreachable"),
            Self::HostUnreachable => f.write_str("host unreachable"),
            Self::NotConnected => f.write_str("not connected"),
            Self::BrokenPipe => f.write_str("the sending side is closed"),
            Self::Released => f.write_str("the connection was released before"),
            Self::InvalidInput(what) => f.write_str(what),
            Self::OutOfMemory => {
                f.write_str("the stack's limit of connections or memory is reached")
            }
        }
    }
}

impl core::error::Error for Error {}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error {
            Error::ConnectionRefused => ErrorKind::ConnectionRefused,
            Error::ConnectionReset => ErrorKind::ConnectionReset,
            Error::ConnectionAborted => ErrorKind::ConnectionAborted,
            Error::TimedOut => ErrorKind::TimedOut,
            Error::AddrInUse(_) => ErrorKind::AddrInUse,
            Error::NoPort(_) | Error::AddrNotAvailable => ErrorKind::AddrNotAvailable,
            Error::NetworkUnreachable => ErrorKind::NetworkUnreachable,
            Error::HostUnreachable => ErrorKind::HostUnreachable,
            Error::NotConnected | Error::Released => ErrorKind::NotConnected,
            Error::BrokenPipe => ErrorKind::BrokenPipe,
            Error::InvalidInput(_) => ErrorKind::InvalidInput,
            Error::OutOfMemory => ErrorKind::OutOfMemory,
        };
        Self::new(kind, error)
    }
}

/// What an ICMP error says of the datagram that it quotes (RFC 1122 §4.2.3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpError {
    /// Destination unreachable, code 0, 6, 9 or 11: the network. Soft.
    NetworkUnreachable,
    /// Destination unreachable, code 1, 5, 7, 8, 10, 12 or 13; time exceeded; parameter problem:
    /// soft.
    HostUnreachable,
    /// Destination unreachable, code 2 or 3: protocol or port. Hard while the connection is not
    /// established.
    PortUnreachable,
    /// Destination unreachable, code 4: the datagram was too large for a hop with this MTU in
    /// octets, zero if the router did not say (RFC 1191 §4).
    FragmentationNeeded(u16),
}

/// The connection states of RFC 9293 §3.3.2. LISTEN is a listener, not a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names are the RFC's.
pub enum State {
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
    Closed,
}

/// A connection as the STATUS call shows it (RFC 9293 §3.10.6).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
    /// The state.
    pub state: State,
    /// Why the connection ended, if it ended by an error.
    pub error: Option<Error>,
    /// The last ICMP soft error, if nothing was acknowledged since.
    pub soft_error: Option<Error>,
    /// Smoothed round-trip time, once measured.
    pub smoothed_rtt: Option<core::time::Duration>,
    /// Octets of payload of a full segment.
    pub maximum_segment: usize,
    /// Congestion window in octets.
    pub congestion_window: u32,
    /// Octets queued and not acknowledged, sent or not.
    pub unacknowledged: usize,
    /// Octets that can be received now.
    pub readable: usize,
    /// Octets of room in the send buffer.
    pub writable: usize,
}
