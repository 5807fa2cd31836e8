//! A piece of what is in flight.

use crate::proto::Instant;
use crate::proto::tcp::wire::seq::Seq;

/// A piece of the sequence space that was sent as one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) start: Seq,
    pub(crate) end: Seq,
    /// When it was last sent.
    pub(crate) time: Instant,
    /// The peer has it, as a SACK block said.
    pub(super) sacked: bool,
    /// It is taken to be lost and was not sent again since.
    pub(crate) lost: bool,
    /// It was sent more than once.
    pub(crate) retransmitted: bool,
}

impl Sent {
    /// One that is sent for the first time.
    #[inline]
    pub(super) fn new(start: Seq, end: Seq, time: Instant) -> Self {
        Self {
            start,
            end,
            time,
            sacked: false,
            lost: false,
            retransmitted: false,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.end - self.start
    }
}
