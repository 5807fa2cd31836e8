//! What may be set of a connection.

use std::io;
use std::time::Duration;

use super::TcpStream;
use crate::proto::tcp::{KeepAlive, Linger, Tcp};
use crate::sockets::error::invalid;

impl TcpStream {
    /// Whether small segments leave at once, without waiting for those in flight to be
    /// acknowledged (Nagle's algorithm). Off at first.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.connection.call(|tcp, _, id| tcp.set_nodelay(id, on))
    }

    /// What [`TcpStream::set_nodelay`] has set.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.connection.setting(Tcp::nodelay)
    }

    /// Probes the peer when nothing was heard of it for a while; `None`, as at first, never.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn set_keep_alive(&self, keep_alive: Option<KeepAlive>) -> io::Result<()> {
        self.connection
            .call(|tcp, now, id| tcp.set_keep_alive(now, id, keep_alive))
    }

    /// What [`TcpStream::set_keep_alive`] has set.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn keep_alive(&self) -> io::Result<Option<KeepAlive>> {
        self.connection.setting(Tcp::keep_alive)
    }

    /// How long what was written may go unacknowledged before the connection fails with `TimedOut`.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.connection
            .call(|tcp, _, id| tcp.set_user_timeout(id, timeout))
    }

    /// What [`TcpStream::set_user_timeout`] has set, to a millisecond.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn user_timeout(&self) -> io::Result<Option<Duration>> {
        self.connection.setting(Tcp::user_timeout)
    }

    /// What dropping the stream does with what was not acknowledged yet: `None` has it delivered in
    /// the background, a duration bounds that, and zero resets the connection.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        let linger = linger.map_or(Linger::Background, Linger::Timeout);
        self.connection
            .call(|tcp, _, id| tcp.set_linger(id, linger))
    }

    /// What [`TcpStream::set_linger`] has set.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(match self.connection.setting(Tcp::linger)? {
            Linger::Background => None,
            Linger::Timeout(timeout) => Some(timeout),
        })
    }

    /// The time to live of the packets sent, of which each router takes one: 1 to 255; 64 at first.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for any other.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        let valid = u8::try_from(ttl).ok().filter(|ttl| *ttl > 0);
        let ttl = valid.ok_or_else(|| invalid(format!("time to live {ttl}: expected 1 to 255")))?;
        self.connection.call(|tcp, _, id| tcp.set_ttl(id, ttl))
    }

    /// What [`TcpStream::set_ttl`] has set.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(self.connection.setting(Tcp::ttl)?.into())
    }

    /// How long a read may wait before it fails with `TimedOut`; the connection stays.
    ///
    /// The time begins anew with each read; one that is dropped takes its own along. Through the
    /// traits of `futures-io`, which do not show when a read is dropped, it begins anew with each
    /// poll.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) {
        self.connection.read.timeout.set(timeout);
    }

    /// What [`TcpStream::set_read_timeout`] has set.
    #[must_use]
    pub fn read_timeout(&self) -> Option<Duration> {
        self.connection.read.timeout.get()
    }

    /// How long a write may wait before it fails with `TimedOut`, and so [`TcpStream::flushed`]; the
    /// connection stays. The time begins as that of [`TcpStream::set_read_timeout`].
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.connection.write.timeout.set(timeout);
    }

    /// What [`TcpStream::set_write_timeout`] has set.
    #[must_use]
    pub fn write_timeout(&self) -> Option<Duration> {
        self.connection.write.timeout.get()
    }
}
