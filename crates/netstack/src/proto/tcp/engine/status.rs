//! STATUS (RFC 9293 §3.10.6) and the settings of a connection.

use core::net::IpAddr;
use core::time::Duration;

use super::Tcp;
use crate::proto::Instant;
use crate::proto::tcp::api::{ConnectionId, Error, State, Status};
use crate::proto::tcp::config::{KeepAlive, Linger};

impl Tcp {
    /// STATUS (RFC 9293 §3.10.6).
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn status(&self, id: ConnectionId) -> Result<Status, Error> {
        let tcb = self.connections.user(id)?;
        Ok(Status {
            local: tcb.tuple.local.into(),
            remote: tcb.tuple.remote.into(),
            state: tcb.state,
            error: tcb.error.map(Error::from),
            soft_error: tcb.soft_error.map(Error::from),
            smoothed_rtt: Some(tcb.snd.measured_srtt())
                .filter(|srtt| *srtt != 0)
                .map(Duration::from_nanos),
            maximum_segment: tcb.snd.mss().into(),
            congestion_window: tcb.snd.cwnd(),
            unacknowledged: tcb.snd.queued(),
            readable: tcb.rcv.readable(),
            writable: tcb.snd.buffer().saturating_sub(tcb.snd.queued()),
        })
    }

    /// Connections of which the peer has not acknowledged all that was sent, those that nobody holds any more included.
    #[must_use]
    pub fn undelivered(&mut self) -> usize {
        let all: Vec<ConnectionId> = self.connections.ids().collect();
        let is_undelivered = |id: &ConnectionId| {
            let tcb = self.connections.get_mut(*id);
            tcb.is_ok_and(|tcb| tcb.is_synchronized() && !tcb.snd.is_flushed())
        };
        all.into_iter().filter(is_undelivered).count()
    }

    /// Whether one of the first 4,096 connections that go by a neighbour, as `by_it` says of their remote
    /// addresses, has made progress no longer than `since` ago: the neighbour can be reached then (RFC 4861
    /// §7.3.1).
    pub(crate) fn has_progressed(
        &self,
        now: Instant,
        since: Duration,
        by_it: impl Fn(IpAddr) -> bool,
    ) -> bool {
        self.connections
            .iter()
            .take(4096)
            .any(|tcb| now - tcb.progress <= since && by_it(tcb.tuple.remote.ip()))
    }

    /// Whether a connection has one of these addresses of ours.
    pub(crate) fn uses_address(&self, is_one: impl Fn(IpAddr) -> bool) -> bool {
        let mut connections = self.connections.iter();
        connections.any(|tcb| tcb.state != State::Closed && is_one(tcb.tuple.local.ip()))
    }

    /// [`Options::nodelay`](crate::proto::tcp::Options::nodelay) of a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Released`], as for all settings.
    pub fn nodelay(&self, id: ConnectionId) -> Result<bool, Error> {
        Ok(self.connections.user(id)?.snd.nodelay())
    }

    /// [`Options::keep_alive`](crate::proto::tcp::Options::keep_alive) of a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn keep_alive(&self, id: ConnectionId) -> Result<Option<KeepAlive>, Error> {
        Ok(self.connections.user(id)?.settings.keep_alive())
    }

    /// [`Options::user_timeout`](crate::proto::tcp::Options::user_timeout) of a connection, to a millisecond.
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn user_timeout(&self, id: ConnectionId) -> Result<Option<Duration>, Error> {
        Ok(self.connections.user(id)?.settings.user_timeout())
    }

    /// [`Options::linger`](crate::proto::tcp::Options::linger) of a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn linger(&self, id: ConnectionId) -> Result<Linger, Error> {
        Ok(self.connections.user(id)?.settings.linger())
    }

    /// [`Options::ttl`](crate::proto::tcp::Options::ttl) of a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn ttl(&self, id: ConnectionId) -> Result<u8, Error> {
        Ok(self.connections.user(id)?.settings.ttl)
    }

    /// Sets [`Options::ttl`](crate::proto::tcp::Options::ttl) of a connection, for what is sent
    /// from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn set_ttl(&mut self, id: ConnectionId, ttl: u8) -> Result<(), Error> {
        self.connections.user_mut(id)?.settings.ttl = ttl;
        Ok(())
    }

    /// Sets [`Options::nodelay`](crate::proto::tcp::Options::nodelay) of a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Released`], as for all settings.
    pub fn set_nodelay(&mut self, id: ConnectionId, on: bool) -> Result<(), Error> {
        let tcb = self.connections.user_mut(id)?;
        tcb.snd.set_nodelay(on);
        tcb.transmit = true;
        self.settle(id.index);
        Ok(())
    }

    /// Sets [`Options::keep_alive`](crate::proto::tcp::Options::keep_alive) of a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn set_keep_alive(
        &mut self,
        now: Instant,
        id: ConnectionId,
        on: Option<KeepAlive>,
    ) -> Result<(), Error> {
        let tcb = self.connections.user_mut(id)?;
        tcb.settings.set_keep_alive(on);
        tcb.weigh(&self.shared);
        if tcb.is_synchronized() {
            tcb.start_keep_alive(now);
        }
        self.settle(id.index);
        Ok(())
    }

    /// Sets [`Options::user_timeout`](crate::proto::tcp::Options::user_timeout) of a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn set_user_timeout(
        &mut self,
        id: ConnectionId,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        self.connections
            .user_mut(id)?
            .settings
            .set_user_timeout(timeout);
        Ok(())
    }

    /// Sets [`Options::linger`](crate::proto::tcp::Options::linger) of a connection.
    ///
    /// # Errors
    ///
    /// [`Error::Released`].
    pub fn set_linger(&mut self, id: ConnectionId, linger: Linger) -> Result<(), Error> {
        let tcb = self.connections.user_mut(id)?;
        tcb.settings.set_linger(linger);
        tcb.weigh(&self.shared);
        tcb.recharge(&mut self.shared);
        Ok(())
    }
}
