//! Full segments in a row: what [`output`](super::output) would do for each of them, with all that
//! they have in common done once. A device that cuts segments takes many of them as one.

use etherparse::IpNumber;

use super::Sender;
use super::loss::Recovery;
use crate::proto::Instant;
use crate::proto::checksum::Sum;
use crate::proto::tcp::wire::ip::{TxMeta, TxSink};
use crate::proto::tcp::wire::options::TIMESTAMPS_LEN;
use crate::proto::tcp::wire::segment::{HEADER_LEN, Header};
use crate::proto::tcp::wire::seq::Seq;

/// Longest header of a segment without SACK blocks.
const TEMPLATE: usize = HEADER_LEN + TIMESTAMPS_LEN;

/// What a run that the device cuts apart takes of a turn's share: it is more work than a segment,
/// and less than its segments.
const CUT_COST: usize = 4;

/// Segments in flight: so many, and one for so many octets of the send buffer. Each has its record,
/// which acknowledgements are compared with: so small segments take no more memory and effort than
/// those that a default MSS makes.
const SEGMENTS: usize = 64;
const OCTETS_PER_SEGMENT: usize = 512;

/// The header of a run, with a sequence number of zero, and its sum as that of a full segment.
struct Template {
    bytes: [u8; TEMPLATE],
    len: usize,
    sum: Sum,
}

impl Template {
    fn new(header: &Header, payload: usize) -> Self {
        let mut bytes = [0; TEMPLATE];
        let len = header.len();
        let mut sum = Sum::default();
        header.write(&mut bytes[..len], |of_header, _| {
            sum = of_header;
            of_header
        });
        bytes[16..18].fill(0);
        // The length in the pseudo-header is a word of its own.
        let sum = sum.add_word(payload as u16);
        Self { bytes, len, sum }
    }

    /// The sum of the header of a segment that begins at `seq`.
    #[inline]
    fn sum_at(&self, seq: Seq) -> Sum {
        let sum = self.sum.add_word((seq.0 >> 16) as u16);
        sum.add_word(seq.0 as u16)
    }

    /// Writes the header of a segment that begins at `seq`, without its checksum; gives the header
    /// and the room for the payload.
    #[inline]
    fn write<'a>(&self, seq: Seq, buffer: &'a mut [u8]) -> (&'a mut [u8], &'a mut [u8]) {
        let (head, body) = buffer.split_at_mut(self.len);
        // Lengths that the compiler knows spare a call of memcpy.
        if let Some(fixed) = head.first_chunk_mut::<TEMPLATE>() {
            *fixed = self.bytes;
        } else {
            let (fixed, _) = self.bytes.split_at(HEADER_LEN);
            head[..HEADER_LEN].copy_from_slice(fixed);
        }
        head[4..8].copy_from_slice(&seq.0.to_be_bytes());
        (head, body)
    }
}

impl Sender {
    /// How many segments more may be in flight.
    #[inline]
    pub(super) fn segments_left(&self) -> usize {
        let most = SEGMENTS + self.buffer as usize / OCTETS_PER_SEGMENT;
        most.saturating_sub(self.flight.pieces())
    }

    /// How many full segments can go out now of which none is anything but data: not the first after
    /// a pause, nor the last, which carries PSH and perhaps FIN.
    #[inline]
    pub(crate) fn run_length(&self, now: Instant) -> usize {
        let plain = self.una != self.nxt
            && (self.loss.recovery == Recovery::Open || self.pacer.is_some())
            && self.flight.lost() == 0
            && self.probe_due.is_none()
            && !self.ecn.on;
        if !plain {
            return 0;
        }
        let room = self.room();
        let window = if self.pacer.is_some() {
            self.paced_window(now)
        } else {
            self.cwnd().saturating_sub(self.pipe())
        };
        let octets = self.unsent().saturating_sub(1).min(room).min(window);
        let count = (octets / u32::from(self.mss)) as usize;
        if usize::from(self.mss) >= OCTETS_PER_SEGMENT {
            // The send buffer has no more of them.
            return count;
        }
        count.min(self.segments_left())
    }

    /// Sends a run of full segments with this header, whose sequence number is zero, and `meta`, whose length is: of those that are
    /// ready at most a turn's share; counts them in `sent`. Returns how many the sink took, and how many
    /// there were for it.
    pub(crate) fn transmit_run(
        &mut self,
        now: Instant,
        header: &Header,
        mut meta: TxMeta,
        sink: &mut impl TxSink,
        (ready, share): (usize, usize),
        sent: &mut usize,
    ) -> (usize, usize) {
        let mss = usize::from(self.mss);
        let template = Template::new(header, mss);
        meta.len = template.len + mss;
        let longest = sink.longest_run(&meta).saturating_sub(template.len) / mss;
        let run;
        let mut count = ready.min(share);
        if longest < 2 {
            run = self.transmit_apart(now, sink, &template, &meta, count);
            *sent += run;
        } else {
            count = ready.min(share.div_ceil(CUT_COST) * longest);
            run = self.transmit_joined(now, sink, &template, meta, (count, longest));
            *sent += CUT_COST * run.div_ceil(longest);
        }
        if run > 0 {
            self.last = now;
            if self.pacer.is_some() {
                self.note_run_paced(now, (run * mss) as u32);
            }
            self.after_sending(now);
        }
        (run, count)
    }

    /// Sends `count` full segments; returns how many the sink took.
    #[inline]
    fn transmit_apart(
        &mut self,
        now: Instant,
        sink: &mut impl TxSink,
        template: &Template,
        meta: &TxMeta,
        count: usize,
    ) -> usize {
        let mss = usize::from(self.mss);
        // What follows in the queue, as far as it lies in one piece.
        let mut ahead: &[u8] = &[];
        let start = self.nxt;
        let mut run = 0;
        while run < count {
            let buffer = match run {
                0 => sink.reserve(meta),
                _ => sink.reserve_again(meta),
            };
            let Some(buffer) = buffer else {
                break;
            };
            let (seq, next) = (self.nxt, self.nxt + u32::from(self.mss));
            let (head, body) = template.write(seq, buffer);
            let sum = match ahead.split_at_checked(mss) {
                Some((octets, rest)) => {
                    ahead = rest;
                    template.sum_at(seq).add_copy(octets, body)
                }
                None => {
                    let sum = self.queue.copy(seq, body, template.sum_at(seq));
                    ahead = self.queue.ahead(next);
                    sum
                }
            };
            head[16..18].copy_from_slice(&sum.finish().to_be_bytes());
            self.nxt = next;
            sink.commit();
            run += 1;
        }
        self.flight.push_run(start, self.mss.into(), run, now);
        run
    }

    /// Sends `count` full segments, up to `longest` as one that the device cuts apart; returns how
    /// many the sink took.
    fn transmit_joined(
        &mut self,
        now: Instant,
        sink: &mut impl TxSink,
        template: &Template,
        mut meta: TxMeta,
        (count, longest): (usize, usize),
    ) -> usize {
        let mss = usize::from(self.mss);
        let mut run = 0;
        while run < count {
            let segments = longest.min(count - run);
            meta.len = template.len + segments * mss;
            meta.cut = if segments > 1 { self.mss } else { 0 };
            let Some(buffer) = sink.reserve(&meta) else {
                break;
            };
            if segments == 1 {
                self.write_next(now, template, buffer);
            } else {
                self.write_joined(now, template, &meta, buffer, segments);
            }
            sink.commit();
            run += segments;
        }
        run
    }

    /// Writes the segment at SND.NXT and advances it.
    fn write_next(&mut self, now: Instant, template: &Template, buffer: &mut [u8]) {
        let seq = self.nxt;
        let (head, body) = template.write(seq, buffer);
        let sum = self.queue.copy(seq, body, template.sum_at(seq));
        head[16..18].copy_from_slice(&sum.finish().to_be_bytes());
        self.nxt += u32::from(self.mss);
        self.flight.push(seq, self.nxt, now);
    }

    /// Writes the next `segments` as one, for the device to cut apart, and advances SND.NXT.
    fn write_joined(
        &mut self,
        now: Instant,
        template: &Template,
        meta: &TxMeta,
        buffer: &mut [u8],
        segments: usize,
    ) {
        let len = buffer.len() as u16;
        let (head, body) = template.write(self.nxt, buffer);
        self.queue.copy_unsummed(self.nxt, body);
        let sum = Sum::pseudo_header(meta.source(), meta.destination(), IpNumber::TCP.0, len);
        // The device goes on from the sum itself, not from its complement.
        head[16..18].copy_from_slice(&(!sum.finish()).to_be_bytes());
        // Each is a piece of its own: it may be lost alone.
        let mss = u32::from(self.mss);
        self.flight.push_run(self.nxt, mss, segments, now);
        self.nxt += mss * segments as u32;
    }
}
