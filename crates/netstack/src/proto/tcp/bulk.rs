//! Full segments in a row: what [`output`](super::output) would do for each of them, with all that
//! they have in common done once. A device that cuts segments takes many of them as one.

use etherparse::IpNumber;

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

/// What a run that the device cuts apart takes of a turn's share: it is more work than a segment,
/// and less than its segments.
const CUT_COST: usize = 4;

/// The header of a run, and its sum as that of a full segment with a sequence number of zero.
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
        let protocol = IpNumber::TCP.0;
        let sum = Sum::pseudo_header(*local.ip(), *remote.ip(), protocol, (len + payload) as u16)
            .add_slice(&bytes[..len]);
        Self { bytes, len, sum }
    }
}

impl Tcb {
    /// How many full segments can go out now of which none is anything but data: not the first after
    /// a pause, nor the last, which carries PSH and perhaps FIN.
    #[inline]
    fn run_length(&self, now: Instant, share: usize) -> usize {
        let plain = matches!(self.state, State::Established | State::CloseWait)
            && self.snd.una != self.snd.nxt
            && (self.loss.recovery == Recovery::Open || self.pacer.is_some())
            && self.flight.lost() == 0
            && self.probe_due.is_none()
            && !self.ecn.on
            && self.rcv.dsack.is_none()
            && self.rcv.reassembly.is_none();
        if !plain {
            return 0;
        }
        let room = (self.snd.una + self.snd.wnd).since(self.snd.nxt);
        let window = if self.pacer.is_some() {
            self.paced_window(now)
        } else {
            self.cwnd().saturating_sub(self.pipe())
        };
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
        // Most often there is none: the rest is not looked at then.
        if self.run_length(now, 2) < 2 {
            return None;
        }
        let mss = usize::from(self.snd.mss);
        let header = self.header(now, self.snd.nxt, SackBlocks::default(), shared);
        let template = Template::new(&header, mss);
        let mut meta = TxMeta {
            source: *self.tuple.local.ip(),
            destination: *self.tuple.remote.ip(),
            len: 0,
            cut: 0,
            ecn: Ecn::NotEct,
            ttl: self.settings.ttl,
            dont_fragment: !self.settings.may_fragment,
        };
        let longest = sink.longest_run(&meta).saturating_sub(template.len) / mss;
        let (at_once, cost) = match longest {
            0 | 1 => (1, 1),
            longest => (longest, CUT_COST),
        };
        let count = self.run_length(now, share.div_ceil(cost) * at_once);
        let mut run = 0;
        while run < count {
            let segments = at_once.min(count - run);
            meta.len = template.len + segments * mss;
            meta.cut = if segments > 1 { self.snd.mss } else { 0 };
            let Some(buffer) = sink.reserve(&meta) else {
                break;
            };
            self.write_next(now, &template, buffer, segments);
            sink.commit();
            *sent += cost;
            run += segments;
        }
        if run > 0 {
            shared.counters.out_segs += run as u64;
            self.snd.last = now;
            if self.pacer.is_some() {
                self.has_run_paced(now, (run * mss) as u32);
            }
            self.after_sending(now);
            self.has_acknowledged(true, false);
        }
        Some(if run < count {
            Turn::Blocked
        } else {
            Turn::More
        })
    }

    /// Writes the next `segments`, as one, and advances SND.NXT.
    #[inline]
    fn write_next(
        &mut self,
        now: Instant,
        template: &Template,
        buffer: &mut [u8],
        segments: usize,
    ) {
        let len = buffer.len() as u16;
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
        let checksum = if segments == 1 {
            let sum = template
                .sum
                .add_word((seq.0 >> 16) as u16)
                .add_word(seq.0 as u16);
            self.snd.queue.copy(seq, body, sum).finish()
        } else {
            self.snd.queue.copy_unsummed(seq, body);
            let (local, remote) = (self.tuple.local, self.tuple.remote);
            // The device goes on from the sum itself, not from its complement.
            !Sum::pseudo_header(*local.ip(), *remote.ip(), IpNumber::TCP.0, len).finish()
        };
        head[16..18].copy_from_slice(&checksum.to_be_bytes());
        // Each is a piece of its own: it may be lost alone.
        for _ in 0..segments {
            let start = self.snd.nxt;
            self.snd.nxt += u32::from(self.snd.mss);
            self.flight.push(start, self.snd.nxt, now);
        }
    }
}
