//! Whether and when the peer is to get an acknowledgement (RFC 9293 §3.8.6.3, RFC 5681 §4.2).

use core::time::Duration;

use super::Receiver;
use crate::proto::Instant;

/// Acknowledgements sent at once at the start of a connection and after it was idle.
const QUICK_ACKS: u8 = 16;

/// What is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledgement {
    /// At the next transmission.
    pub(super) now: bool,
    /// Duplicate acknowledgements due for a peer without SACK, each of which counts for its fast
    /// retransmission (RFC 5681 §3.2).
    duplicates: u8,
    /// Acknowledgements still to be sent at once.
    quick: u8,
    /// Largest segment received: what "full-sized" means for the peer (RFC 5681 §4.2).
    rmss: u16,
    /// Octets received since the last acknowledgement.
    octets: u32,
    /// When one that is held back is due; [`Instant::FAR_FUTURE`] when none is.
    delayed: Instant,
}

impl Acknowledgement {
    pub(super) const fn new() -> Self {
        Self {
            now: false,
            duplicates: 0,
            quick: QUICK_ACKS,
            rmss: 0,
            octets: 0,
            delayed: Instant::FAR_FUTURE,
        }
    }
}

impl Receiver {
    /// Whether an acknowledgement is due at the next transmission.
    #[inline]
    pub(crate) fn acknowledges_now(&self) -> bool {
        self.ack.now
    }

    /// When an acknowledgement that is held back is due; [`Instant::FAR_FUTURE`] when none is.
    #[inline]
    pub(crate) fn delayed_ack(&self) -> Instant {
        self.ack.delayed
    }

    /// Asks for an acknowledgement at the next transmission.
    #[inline]
    pub(crate) fn acknowledge_now(&mut self) {
        self.ack.now = true;
    }

    /// Takes back what is due now; returns whether it was.
    pub(crate) fn take_acknowledgement(&mut self) -> bool {
        core::mem::take(&mut self.ack.now)
    }

    /// Asks for a duplicate acknowledgement that a peer without SACK can count.
    pub(crate) fn add_duplicate(&mut self) {
        self.ack.duplicates = self.ack.duplicates.saturating_add(1);
    }

    /// RFC 5681 §4.2: in-order data of `octets` has arrived: now, or within `delay`? Returns whether an
    /// acknowledgement is due now.
    #[inline]
    pub(crate) fn schedule_ack(&mut self, now: Instant, octets: usize, delay: Duration) -> bool {
        let ack = &mut self.ack;
        ack.octets = ack.octets.saturating_add(octets as u32);
        ack.rmss = ack.rmss.max(octets.min(usize::from(u16::MAX)) as u16);
        if ack.quick > 0 || ack.octets >= 2 * u32::from(ack.rmss) {
            ack.now = true;
        } else if ack.delayed == Instant::FAR_FUTURE {
            ack.delayed = now + delay;
        }
        ack.now
    }

    /// What was held back is due now, if its time has come.
    pub(crate) fn end_delay(&mut self, now: Instant) -> bool {
        let due = self.ack.delayed <= now;
        if due {
            self.cancel_delayed();
            self.ack.now = true;
        }
        due
    }

    /// Nothing is held back any more.
    pub(crate) fn cancel_delayed(&mut self) {
        self.ack.delayed = Instant::FAR_FUTURE;
    }

    /// Whoever starts again after a pause gets quick acknowledgements again.
    pub(crate) fn acknowledge_quickly(&mut self) {
        self.ack.quick = QUICK_ACKS;
    }

    /// A segment has gone out, and every segment acknowledges: nothing is due any more. New data may be
    /// the answer to what was received.
    #[inline]
    pub(crate) fn note_acknowledged(&mut self, new_data: bool, alone: bool) {
        let ack = &mut self.ack;
        if ack.quick > 0 {
            if new_data && ack.octets > 0 {
                // The user answers what it receives: its answers carry the acknowledgements.
                ack.quick = 0;
            } else if alone {
                ack.quick -= 1;
            }
        }
        ack.octets = 0;
        ack.duplicates = ack.duplicates.saturating_sub(1);
        ack.now = ack.duplicates > 0;
        ack.delayed = Instant::FAR_FUTURE;
        self.dsack = None;
        self.recent.last_ack_sent = self.nxt;
    }
}
