//! Full segments in a row: what [`output`](super::output) would do for each of them, with all that
//! they have in common done once.

use super::interface::{Ecn, State, TxMeta, TxSink};
use super::loss::Recovery;
use super::options::SackBlocks;
use super::output::Turn;
use super::segment::{HEADER_LEN, Header};
use super::shared::Shared;
use super::tcb::Tcb;
use crate::proto::Instant;
use crate::proto::checksum::Sum;

/// Longest header of a segment without SACK blocks.
const TEMPLATE: usize = HEADER_LEN + super::options::TIMESTAMPS_LEN;

/// The header of a run, and its sum with a sequence number of zero.
struct Template {
    bytes: [u8; TEMPLATE],
    len: usize,
    sum: Sum,
}

impl Template {
    fn new(header: &Header, payload: usize) -> Self {
        let mut bytes = [0; TEMPLATE];
        let len = header.len();
        header.write(&mut bytes[..len], |sum, _| sum);
        bytes[4..8].fill(0);
        bytes[16..18].fill(0);
        let (local, remote) = (header.tuple.local, header.tuple.remote);
        let protocol = etherparse::IpNumber::TCP.0;
        let sum = Sum::pseudo_header(*local.ip(), *remote.ip(), protocol, (len + payload) as u16)
            .add_slice(&bytes[..len]);
        Self { bytes, len, sum }
    }
}

impl Tcb {
    /// How many full segments can go out now of which none is anything but data: not the first after
    /// a pause, nor the last, which carries PSH and perhaps FIN.
    #[inline]
    fn run_length(&self, share: usize) -> usize {
        let plain = matches!(self.state, State::Established | State::CloseWait)
            && self.snd.una != self.snd.nxt
            && self.loss.recovery == Recovery::Open
            && self.flight.lost() == 0
            && self.probe_due.is_none()
            && !self.ecn.on
            && self.rcv.dsack.is_none()
            && self.rcv.reassembly.is_none();
        if !plain {
            return 0;
        }
        let room = (self.snd.una + self.snd.wnd).since(self.snd.nxt);
        let window = self.cwnd().saturating_sub(self.pipe());
        let octets = self.unsent().saturating_sub(1).min(room).min(window);
        ((octets / u32::from(self.snd.mss)) as usize).min(share)
    }

    /// Sends a run of full segments, at most `share`; counts them in `sent`. `None` when there is no
    /// run to send.
    pub(super) fn transmit_run(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        sink: &mut impl TxSink,
        share: usize,
        sent: &mut usize,
    ) -> Option<Turn> {
        let count = self.run_length(share);
        if count < 2 {
            return None;
        }
        let mss = self.snd.mss;
        let header = self.header(now, self.snd.nxt, SackBlocks::default(), shared);
        let template = Template::new(&header, mss.into());
        let meta = TxMeta {
            source: *self.tuple.local.ip(),
            destination: *self.tuple.remote.ip(),
            len: template.len + usize::from(mss),
            ecn: Ecn::NotEct,
            ttl: self.settings.ttl,
            dont_fragment: !self.settings.may_fragment,
        };
        let mut run = 0;
        while run < count
            && let Some(buffer) = sink.reserve(&meta)
        {
            self.write_next(now, &template, buffer);
            sink.commit();
            run += 1;
        }
        if run > 0 {
            *sent += run;
            shared.counters.out_segs += run as u64;
            self.snd.last = now;
            self.after_sending(now);
            self.has_acknowledged(true, false);
        }
        Some(if run < count {
            Turn::Blocked
        } else {
            Turn::More
        })
    }

    /// Writes the segment at SND.NXT and advances it.
    #[inline]
    fn write_next(&mut self, now: Instant, template: &Template, buffer: &mut [u8]) {
        let seq = self.snd.nxt;
        let (head, body) = buffer.split_at_mut(template.len);
        // Lengths that the compiler knows spare a call of memcpy.
        if let Some(fixed) = head.first_chunk_mut::<TEMPLATE>() {
            *fixed = template.bytes;
        } else {
            let (fixed, _) = template.bytes.split_at(HEADER_LEN);
            head[..HEADER_LEN].copy_from_slice(fixed);
        }
        head[4..8].copy_from_slice(&seq.0.to_be_bytes());
        let sum = template
            .sum
            .add_word((seq.0 >> 16) as u16)
            .add_word(seq.0 as u16);
        let sum = self.snd.queue.copy(seq, body, sum);
        head[16..18].copy_from_slice(&sum.finish().to_be_bytes());
        self.snd.nxt += u32::from(self.snd.mss);
        self.flight.push(seq, self.snd.nxt, now);
    }
}
