//! The text of segments: in order, out of order, and its end.

use bytes::Bytes;

use super::Receiver;
use super::queue::ReceiveQueue;
use super::reassembly::Reassembly;
use super::timestamps::Window;
use crate::proto::tcp::on_demand::Spares;
use crate::proto::tcp::wire::seq::Seq;

/// Ranges kept out of order: so many, and one for so many octets of the receive buffer, so that
/// their bookkeeping takes no more than what a window of octets does.
const RANGES: usize = 64;
const OCTETS_PER_RANGE: usize = 512;

/// What has become of text with a gap before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Early {
    /// It is kept, or was there.
    Kept,
    /// There are too many ranges.
    Dropped,
}

impl Receiver {
    /// Takes text at RCV.NXT, which came in a frame whose buffer has `pinned` octets.
    #[inline]
    pub(crate) fn take_text(
        &mut self,
        octets: Bytes,
        pinned: usize,
        spares: &mut Spares<ReceiveQueue>,
    ) {
        self.nxt += octets.len() as u32;
        self.queue.prepare(spares).push(octets, pinned);
        if self.reassembly.is_some() {
            self.take_reassembled();
        }
    }

    /// What was waiting for the gap to be filled.
    #[inline(never)]
    fn take_reassembled(&mut self) {
        let recent = self.recent_timestamp();
        let Some(reassembly) = &mut self.reassembly else {
            return;
        };
        while let Some(pieces) = reassembly.take(self.nxt) {
            for piece in pieces {
                self.nxt += piece.len() as u32;
                self.queue.push_piece(piece);
            }
        }
        reassembly.advance(self.nxt);
        reassembly.window.advance(self.nxt, self.edge, recent);
        if reassembly.len() == 0 {
            self.reassembly = None;
        }
        // RFC 5681 §4.2: at once when a segment fills a gap.
        self.ack.now = true;
    }

    /// Keeps text that has a gap before it.
    pub(crate) fn take_early(&mut self, seq: Seq, octets: Bytes, pinned: usize) -> Early {
        let end = seq + octets.len() as u32;
        let limit = RANGES + self.buffer as usize / OCTETS_PER_RANGE;
        let (edge, recent) = (self.edge, self.recent_timestamp());
        let reassembly = self
            .reassembly
            .get_or_insert_with(|| Box::new(Reassembly::new(Window::new(recent, edge))));
        match reassembly.insert(seq, octets, pinned, limit) {
            None => Early::Dropped,
            Some(added) => {
                if added == 0 {
                    // RFC 2883 §4.1.2: a duplicate of what is out of order.
                    self.dsack = Some((seq, end));
                }
                Early::Kept
            }
        }
    }

    /// Whether something is out of order.
    #[inline]
    pub(crate) fn has_early(&self) -> bool {
        self.reassembly.is_some()
    }

    /// Drops what is out of order, until `octets` are free; returns how many are.
    pub(crate) fn prune(&mut self, octets: usize) -> usize {
        let Some(mut reassembly) = self.reassembly.take() else {
            return 0;
        };
        let mut given = reassembly.held();
        reassembly.prune(reassembly.len().saturating_sub(octets));
        if reassembly.len() > 0 {
            given -= reassembly.held();
            self.reassembly = Some(reassembly);
        }
        given
    }

    /// Drops all that is out of order.
    pub(crate) fn drop_early(&mut self) {
        self.reassembly = None;
    }

    /// The peer has said that its FIN has the number `seq`.
    #[inline]
    pub(crate) fn expect_fin(&mut self, seq: Seq) {
        self.fin = Some(seq);
    }

    /// Whether the peer's FIN is next.
    #[inline]
    pub(crate) fn is_at_fin(&self) -> bool {
        self.fin == Some(self.nxt)
    }

    /// Takes the peer's FIN.
    pub(crate) fn take_fin(&mut self) {
        self.nxt += 1;
        self.edge = self.edge.max(self.nxt);
        self.reassembly = None;
    }
}
