//! What the user's calls do to a connection (RFC 9293 §3.10.2 to §3.10.5).

use core::task::Poll;

use super::Tcb;
use super::shared::Shared;
use crate::proto::Instant;
use crate::proto::tcp::api::{Error, Failure, State};
use crate::proto::tcp::config::Linger;

impl Tcb {
    /// How many of `wanted` octets can be queued now.
    pub(crate) fn room(&mut self, wanted: usize, shared: &Shared) -> Poll<Result<usize, Error>> {
        if !self.may_send() {
            let closed = if self.snd.is_closed() {
                Error::BrokenPipe
            } else {
                Error::NotConnected
            };
            let error = self.error.map_or(closed, Error::from);
            return Poll::Ready(Err(error));
        }
        if self.has_easy_room(wanted, shared) {
            return Poll::Ready(Ok(wanted));
        }
        let allowance = self.send_allowance(shared);
        let free = allowance.saturating_sub(self.snd.queued());
        if free == 0 && wanted > 0 {
            self.wants_writable = true;
            return Poll::Pending;
        }
        Poll::Ready(Ok(wanted.min(free)))
    }

    /// What RECEIVE answers when the queue is empty.
    pub(crate) fn nothing_to_receive(&self) -> Poll<Result<(), Error>> {
        match (self.error, self.state) {
            (Some(error), _) => Poll::Ready(Err(error.into())),
            (None, State::SynSent | State::SynReceived) => Poll::Pending,
            (None, _) if self.may_receive() => Poll::Pending,
            (None, _) => Poll::Ready(Ok(())),
        }
    }

    /// CLOSE.
    pub(crate) fn shutdown(&mut self, shared: &mut Shared) -> Result<(), Error> {
        match self.state {
            State::SynSent => {
                self.close(None, shared);
                return Ok(());
            }
            // The FIN waits until the connection is established.
            State::SynReceived => {}
            State::Established => self.state = State::FinWait1,
            State::CloseWait => self.state = State::LastAck,
            State::Closed => return Err(self.error.map_or(Error::NotConnected, Error::from)),
            State::FinWait1
            | State::FinWait2
            | State::Closing
            | State::LastAck
            | State::TimeWait => return Ok(()),
        }
        if self.state != State::SynReceived {
            self.leave_established(shared);
        }
        self.snd.close();
        self.transmit = true;
        Ok(())
    }

    /// ABORT: a reset in the states that RFC 9293 §3.10.5 names, and nothing more.
    pub(crate) fn abort(&mut self, shared: &mut Shared) {
        if self.counted {
            shared.counters.estab_resets += 1;
        }
        match self.state {
            State::Closed | State::TimeWait => {}
            State::SynSent => self.close(Some(Failure::ConnectionAborted), shared),
            _ => {
                self.send_reset(shared);
                self.close(Some(Failure::ConnectionAborted), shared);
            }
        }
    }

    /// No user holds the connection any more.
    pub(crate) fn released(&mut self, now: Instant, shared: &mut Shared) {
        if matches!(self.state, State::Closed | State::TimeWait) {
            return;
        }
        if self.rcv.readable() > 0 {
            self.reset_unread(shared);
            return;
        }
        let linger = match self.settings.linger() {
            Linger::Background => None,
            Linger::Timeout(timeout) => Some(timeout),
        };
        if linger.is_some_and(|timeout| timeout.is_zero()) {
            shared.counters.abort_on_linger += 1;
            self.abort(shared);
            return;
        }
        // An error has been reported, or nobody is left to hear of it.
        let _ = self.shutdown(shared);
        // From now on the peer has to take something within the time: what it has only answered before
        // was for the user to bear.
        self.snd.restart_patience(now);
        match (self.state, linger) {
            (State::Closed | State::TimeWait, _) => {}
            (State::FinWait2, _) => self.deadlines.close = now + shared.config.orphan_timeout,
            (_, Some(timeout)) => self.deadlines.close = now + timeout,
            (_, None) => {
                // The peer must show that it is there within this time, and take something of what
                // there is.
                let timeout = shared.config.orphan_timeout;
                if self.settings.user_timeout().is_none() {
                    self.settings
                        .set_user_timeout(Some(timeout.saturating_mul(2)));
                }
                self.progressed(now);
                self.deadlines.close = now + timeout;
            }
        }
    }
}
