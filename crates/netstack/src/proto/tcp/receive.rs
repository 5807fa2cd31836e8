//! The receiving side of a connection: RCV.* of RFC 9293 §3.3.1, what was received and not read, the
//! window that is offered, and when the peer is told.
//!
//! [`Receiver`] knows nothing of the sending side: what it needs of it is an argument.

mod acknowledgement;
pub(crate) mod autotune;
mod piece;
pub(crate) mod queue;
mod reassembly;
mod text;
mod timestamps;
mod window;

pub(crate) use self::text::Early;

use self::acknowledgement::Acknowledgement;
use self::autotune::Autotune;
use self::queue::ReceiveQueue;
use self::reassembly::Reassembly;
use self::timestamps::Recent;
use super::config::Options;
use super::on_demand::{OnDemand, Spares};
use super::wire::options::{MAX_WINDOW_SCALE, SackBlocks};
use super::wire::segment::Segment;
use super::wire::seq::Seq;
use crate::proto::Instant;

/// The receiving side of a connection.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// IRS: initial receive sequence number.
    irs: Seq,
    /// RCV.NXT: the next number expected.
    nxt: Seq,
    /// RCV.NXT + RCV.WND as last told to the peer: the right edge never moves back.
    edge: Seq,
    /// Rcv.Wind.Shift.
    wind_shift: u8,
    /// Octets in order, not read.
    queue: OnDemand<ReceiveQueue>,
    /// What is out of order, if something is.
    reassembly: Option<Box<Reassembly>>,
    /// The number of the peer's FIN, once known.
    fin: Option<Seq>,
    /// Size of the receive buffer.
    buffer: u32,
    autotune: Autotune,
    /// When the last segment arrived.
    heard: Instant,
    /// A duplicate that the next acknowledgement reports (RFC 2883).
    dsack: Option<(Seq, Seq)>,
    ack: Acknowledgement,
    recent: Recent,
    /// Congestion was experienced: ECE goes out until CWR comes (RFC 3168 §6.1.3).
    ecn_echo: bool,
}

impl Receiver {
    /// Before the peer's SYN.
    pub(crate) fn new(options: &Options, now: Instant) -> Self {
        let max_buffer = max_buffer(options);
        let buffer = first_buffer(options);
        Self {
            irs: Seq(0),
            nxt: Seq(0),
            edge: Seq(0),
            wind_shift: wind_shift(max_buffer),
            queue: OnDemand::default(),
            reassembly: None,
            fin: None,
            buffer,
            autotune: Autotune::new(buffer, max_buffer),
            heard: now,
            dsack: None,
            ack: Acknowledgement::new(),
            recent: Recent::new(now),
            ecn_echo: false,
        }
    }

    /// The peer's SYN has arrived; `scaling` says whether it has a window scale option.
    pub(crate) fn take_syn(&mut self, now: Instant, irs: Seq, scaling: bool) {
        self.irs = irs;
        self.nxt = irs + 1;
        self.edge = self.nxt + self.buffer.min(u32::from(u16::MAX));
        self.heard = now;
        if !scaling {
            // RFC 7323 §1.3: both or neither.
            self.wind_shift = 0;
            self.buffer = self.buffer.min(u32::from(u16::MAX));
            self.autotune.limit(u32::from(u16::MAX));
        }
    }

    /// The connection is established.
    pub(crate) fn start(&mut self, now: Instant) {
        self.heard = now;
        self.autotune.start(now);
    }

    /// IRS.
    #[inline]
    pub(crate) fn irs(&self) -> Seq {
        self.irs
    }

    /// RCV.NXT.
    #[inline]
    pub(crate) fn nxt(&self) -> Seq {
        self.nxt
    }

    /// RCV.WND: octets that the peer may send from RCV.NXT on.
    #[inline]
    pub(crate) fn window(&self) -> u32 {
        self.edge.since(self.nxt)
    }

    /// Rcv.Wind.Shift.
    pub(crate) fn wind_shift(&self) -> u8 {
        self.wind_shift
    }

    /// A segment of the peer's has arrived.
    #[inline]
    pub(crate) fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    /// When the last segment arrived.
    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    /// Whether anything has come after the peer's SYN.
    pub(crate) fn has_received(&self) -> bool {
        self.nxt != self.irs + 1
    }

    /// Whether congestion that was experienced is echoed.
    #[inline]
    pub(crate) fn echoes_congestion(&self) -> bool {
        self.ecn_echo
    }

    pub(crate) fn echo_congestion(&mut self, echo: bool) {
        self.ecn_echo = echo;
    }

    /// Octets that can be read.
    #[inline]
    pub(crate) fn readable(&self) -> usize {
        self.queue.len()
    }

    /// Copies what could be read to the start of `buffer` without taking it; returns how much.
    pub(crate) fn peek(&self, buffer: &mut [u8]) -> usize {
        self.queue.peek(buffer)
    }

    /// What `read` takes out of the queue, and how many octets that were; `None` when it is empty.
    #[inline]
    pub(crate) fn read<T>(
        &mut self,
        read: impl FnOnce(&mut ReceiveQueue) -> T,
        spares: &mut Spares<ReceiveQueue>,
    ) -> Option<(T, usize)> {
        let queue = self.queue.allocated().filter(|queue| queue.len() > 0)?;
        let before = queue.len();
        let taken = read(queue);
        let left = queue.len();
        if left == 0 {
            self.queue.give_back(spares);
        }
        Some((taken, before - left))
    }

    /// Octets of the allocations that hold what can be read.
    #[inline]
    pub(crate) fn held(&self) -> u32 {
        let queue = self.queue.get_allocated();
        queue.map_or(0, |queue| (size_of_val(queue) + queue.held()) as u32)
    }

    /// Octets of the allocations that hold what is out of order.
    #[inline]
    pub(crate) fn held_early(&self) -> u32 {
        let reassembly = self.reassembly.as_ref();
        reassembly.map_or(0, |reassembly| reassembly.held() as u32)
    }

    /// Drops what can be read.
    pub(crate) fn drop_queue(&mut self, spares: &mut Spares<ReceiveQueue>) {
        self.queue.give_back(spares);
    }

    /// Frees capacity that an idle connection holds.
    pub(crate) fn shrink(&mut self) {
        if let Some(queue) = self.queue.allocated() {
            queue.shrink();
        }
    }

    /// Whether a segment begins at RCV.NXT and ends within the window, as nearly all do: then it is
    /// acceptable, and there is nothing to cut off.
    #[inline]
    pub(crate) fn expects(&self, segment: &Segment) -> bool {
        segment.seq == self.nxt && segment.end().le(self.edge)
    }

    /// Cuts off what was received before and what is beyond the window. Returns whether that asks for
    /// an acknowledgement.
    pub(crate) fn trim_to_window(&mut self, segment: &mut Segment) -> bool {
        let mut tell = false;
        if segment.seq.lt(self.nxt) {
            if segment.len() > 0 {
                // Partly a duplicate (RFC 2883).
                self.dsack = Some((segment.seq, self.nxt.min(segment.end())));
                self.ack.now = true;
                tell = true;
            }
            segment.trim_front(self.nxt);
        }
        if segment.end().gt(self.edge) {
            segment.trim_back(self.edge);
        }
        tell
    }

    /// Reports a segment that was received before (RFC 2883); returns whether it is such a one.
    pub(crate) fn report_duplicate(&mut self, segment: &Segment) -> bool {
        let old = segment.seq.lt(self.nxt) && segment.end().le(self.nxt);
        if old {
            self.dsack = Some((segment.seq, segment.end()));
        }
        old
    }

    /// Whether the next segment has SACK blocks.
    #[inline]
    pub(crate) fn has_sack(&self) -> bool {
        self.reassembly.is_some() || self.dsack.is_some()
    }

    /// The SACK option of the next segment, of `room` blocks at most (RFC 2018 §4, RFC 2883 §4).
    #[inline]
    pub(crate) fn sack_blocks(&self, room: usize) -> SackBlocks {
        let mut blocks = SackBlocks::default();
        let mut left = room;
        if let Some(dsack) = self.dsack {
            blocks.push(dsack);
            left -= 1;
        }
        if let Some(reassembly) = &self.reassembly {
            for block in reassembly.sack_blocks(self.nxt, left).as_slice() {
                blocks.push(*block);
            }
        }
        blocks
    }
}

/// The largest receive buffer that options ask for.
fn max_buffer(options: &Options) -> u32 {
    options.max_receive_buffer.clamp(4 << 10, 1 << 30) as u32
}

/// The receive buffer that a connection with these options begins with.
fn first_buffer(options: &Options) -> u32 {
    (options.receive_buffer as u32).clamp(2 << 10, max_buffer(options))
}

/// The window of a SYN that a connection with these options sends.
pub(crate) fn offered_window(options: &Options) -> u16 {
    first_buffer(options).min(u16::MAX.into()) as u16
}

/// The window scale that a connection with these options offers.
pub(crate) fn offered_wind_shift(options: &Options) -> u8 {
    wind_shift(max_buffer(options))
}

/// The shift with which 16 bits can tell a window of `buffer` octets (RFC 7323 §2.2).
fn wind_shift(buffer: u32) -> u8 {
    let bits = 32 - buffer.leading_zeros();
    (bits.saturating_sub(16) as u8).min(MAX_WINDOW_SCALE)
}
