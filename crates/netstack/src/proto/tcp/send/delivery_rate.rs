//! Delivery rate samples (draft-ietf-ccwg-bbr §4.1, first draft-cheng-iccrg-delivery-rate-estimation):
//! what the network delivered, and in what time, between the sending of a piece and its
//! acknowledgement. Kept only for connections whose controller asks for it.

use std::collections::VecDeque;

use super::sent::Sent;
use crate::proto::Instant;
use crate::proto::tcp::congestion::{LostPiece, RateSample};
use crate::proto::tcp::wire::seq::Seq;

/// What was known when a piece was last sent (§4.1.2.1.2, P.*). Its P.send_time is [`Sent::time`].
#[derive(Clone, Copy, Debug)]
struct Snapshot {
    delivered: u64,
    lost: u64,
    delivered_time: Instant,
    first_send_time: Instant,
    tx_in_flight: u32,
    is_app_limited: bool,
}

/// The newest of the pieces that the acknowledgement at hand has delivered (§4.1.2.1.3, RS.*).
#[derive(Clone, Copy, Debug)]
struct Newest {
    snapshot: Snapshot,
    send_elapsed: u64,
    ack_elapsed: u64,
    end: Seq,
}

/// The state of a connection's delivery rate samples (§4.1.2.1.1, C.*), octets and nanoseconds.
#[derive(Debug)]
pub(super) struct DeliveryRate {
    /// C.delivered and C.delivered_time.
    delivered: u64,
    delivered_time: Instant,
    /// C.first_send_time: when the piece was sent that was last delivered.
    first_send_time: Instant,
    /// C.lost: all that was ever taken to be lost.
    lost: u64,
    /// C.app_limited: until so much is delivered, samples are limited by the application; 0 when
    /// none is.
    app_limited: u64,
    /// C.note_cwnd_limited until so much is delivered.
    cwnd_limited: u64,
    /// One for each piece of the retransmission queue.
    snapshots: VecDeque<Snapshot>,
    /// What was taken to be lost and not reported yet.
    newly_lost: Vec<LostPiece>,
    /// When the acknowledgement at hand arrived, and C.delivered before it.
    now: Instant,
    delivered_before: u64,
    newest: Option<Newest>,
    /// When the latest of the delivered pieces was sent that was sent only once.
    sent_once: Option<Instant>,
}

impl DeliveryRate {
    /// Octets of the memory that it takes.
    pub(crate) fn held(&self) -> usize {
        size_of::<Self>()
            + self.snapshots.capacity() * size_of::<Snapshot>()
            + self.newly_lost.capacity() * size_of::<LostPiece>()
    }

    pub(crate) fn new(now: Instant) -> Self {
        Self {
            delivered: 0,
            delivered_time: now,
            first_send_time: now,
            lost: 0,
            app_limited: 0,
            cwnd_limited: 0,
            snapshots: VecDeque::new(),
            newly_lost: Vec::new(),
            now,
            delivered_before: 0,
            newest: None,
            sent_once: None,
        }
    }

    /// Whether C.app_limited is set.
    pub(crate) fn is_app_limited(&self) -> bool {
        self.app_limited != 0
    }

    /// MarkConnectionAppLimited of §4.1.2.4, with `inflight` octets in flight.
    pub(super) fn mark_app_limited(&mut self, inflight: u32) {
        self.app_limited = (self.delivered + u64::from(inflight)).max(1);
    }

    /// The congestion window is used up by `inflight` octets.
    pub(super) fn mark_cwnd_limited(&mut self, inflight: u32) {
        self.cwnd_limited = self.delivered + u64::from(inflight);
    }

    /// OnPacketSent of §4.1.2.2, with `inflight` octets in flight of which `len` are those sent.
    fn snapshot(&mut self, now: Instant, inflight: u32, len: u32) -> Snapshot {
        if inflight <= len {
            self.first_send_time = now;
            self.delivered_time = now;
        }
        Snapshot {
            delivered: self.delivered,
            lost: self.lost,
            delivered_time: self.delivered_time,
            first_send_time: self.first_send_time,
            tx_in_flight: inflight,
            is_app_limited: self.app_limited != 0,
        }
    }

    /// A piece was sent for the first time.
    pub(crate) fn sent(&mut self, now: Instant, inflight: u32, len: u32) {
        let snapshot = self.snapshot(now, inflight, len);
        self.snapshots.push_back(snapshot);
    }

    /// The piece at `index` was sent again.
    pub(super) fn sent_again(&mut self, index: usize, now: Instant, inflight: u32, len: u32) {
        let snapshot = self.snapshot(now, inflight, len);
        if let Some(old) = self.snapshots.get_mut(index) {
            *old = snapshot;
        }
    }

    /// The piece at `index` is two pieces from now on.
    pub(crate) fn split(&mut self, index: usize) {
        if let Some(snapshot) = self.snapshots.get(index).copied() {
            self.snapshots.insert(index, snapshot);
        }
    }

    /// InitRateSample of §4.1.2.3: an acknowledgement arrives.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.now = now;
        self.delivered_before = self.delivered;
        self.newest = None;
        self.sent_once = None;
    }

    /// Part of a piece was acknowledged.
    pub(super) fn partly_acknowledged(&mut self, octets: u32) {
        self.delivered += u64::from(octets);
        self.delivered_time = self.now;
    }

    /// The first piece of the queue leaves it; `piece` unless it was sacked before.
    pub(crate) fn acknowledged(&mut self, piece: Option<&Sent>) {
        let snapshot = self.snapshots.pop_front();
        if let (Some(piece), Some(snapshot)) = (piece, snapshot) {
            self.update(piece, snapshot);
        }
    }

    /// The piece at `index` was sacked.
    pub(super) fn sacked(&mut self, index: usize, piece: &Sent) {
        if let Some(snapshot) = self.snapshots.get(index).copied() {
            self.update(piece, snapshot);
        }
    }

    /// UpdateRateSample of §4.1.2.3.
    fn update(&mut self, piece: &Sent, snapshot: Snapshot) {
        self.delivered += u64::from(piece.len());
        self.delivered_time = self.now;
        if !piece.retransmitted {
            self.sent_once = self.sent_once.max(Some(piece.time));
        }
        // IsNewestPacket.
        let newest = self.newest.is_none_or(|newest| {
            piece.time > self.first_send_time
                || (piece.time == self.first_send_time && piece.end.gt(newest.end))
        });
        if newest {
            self.newest = Some(Newest {
                snapshot,
                send_elapsed: piece.time.nanos_since(snapshot.first_send_time),
                ack_elapsed: self.now.nanos_since(snapshot.delivered_time),
                end: piece.end,
            });
            self.first_send_time = piece.time;
        }
    }

    /// The piece at `index` is taken to be lost: C.lost grows, and there is something to report.
    pub(crate) fn lost(&mut self, index: usize, piece: &Sent) {
        self.lost += u64::from(piece.len());
        let Some(snapshot) = self.snapshots.get(index) else {
            return;
        };
        self.newly_lost.push(LostPiece {
            now: self.now,
            start: piece.start.0,
            size: piece.len(),
            tx_in_flight: snapshot.tx_in_flight,
            lost: self.lost - snapshot.lost,
            is_app_limited: snapshot.is_app_limited,
            delivered: self.delivered,
            inflight: 0,
        });
    }

    /// Takes what is to be reported as lost.
    pub(super) fn take_lost(&mut self) -> impl Iterator<Item = LostPiece> {
        self.newly_lost.drain(..)
    }

    /// Frees what is held for nothing.
    pub(crate) fn shrink(&mut self) {
        self.snapshots.shrink_to_fit();
        self.newly_lost.shrink_to_fit();
    }

    /// What was just taken to be lost is no sign of congestion.
    pub(super) fn excuse_lost(&mut self) {
        let octets: u64 = self
            .newly_lost
            .drain(..)
            .map(|lost| u64::from(lost.size))
            .sum();
        self.lost -= octets;
    }

    /// GenerateRateSample of §4.1.2.3, with `inflight` octets in flight now and a least round-trip
    /// time of `min_rtt` nanoseconds over the life of the connection.
    pub(crate) fn sample(&mut self, inflight: u32, min_rtt: u64) -> RateSample {
        if self.app_limited != 0 && self.delivered > self.app_limited {
            self.app_limited = 0;
        }
        let mut sample = RateSample {
            now: self.now,
            delivery_rate: 0,
            delivered: 0,
            prior_delivered: None,
            is_app_limited: false,
            tx_in_flight: 0,
            lost: 0,
            newly_acked: (self.delivered - self.delivered_before) as u32,
            rtt: self.sent_once.map(|sent| self.now.nanos_since(sent)),
            total_delivered: self.delivered,
            inflight,
            cwnd_limited: self.delivered <= self.cwnd_limited,
            in_recovery: false,
        };
        let Some(newest) = self.newest else {
            return sample;
        };
        let interval = newest.send_elapsed.max(newest.ack_elapsed);
        sample.delivered = self.delivered - newest.snapshot.delivered;
        sample.prior_delivered = Some(newest.snapshot.delivered);
        sample.is_app_limited = newest.snapshot.is_app_limited;
        sample.tx_in_flight = newest.snapshot.tx_in_flight;
        sample.lost = self.lost - newest.snapshot.lost;
        // "Normally we expect interval >= MinRTT": less is the acknowledgement of an original that
        // came after the retransmission.
        if interval >= min_rtt && interval != 0 {
            let rate = u128::from(sample.delivered) * 1_000_000_000 / u128::from(interval);
            sample.delivery_rate = rate as u64;
        }
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::DeliveryRate;
    use crate::proto::Instant;
    use crate::proto::tcp::send::retransmission::RetransmissionQueue;
    use crate::proto::tcp::wire::seq::Seq;

    const MS: u64 = 1_000_000;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * MS)
    }

    fn queue() -> RetransmissionQueue {
        let mut queue = RetransmissionQueue::default();
        queue.rate = Some(Box::new(DeliveryRate::new(at(0))));
        queue
    }

    fn push(queue: &mut RetransmissionQueue, pieces: core::ops::Range<u32>, millis: u64) {
        for piece in pieces {
            queue.push(Seq(1000 * piece), Seq(1000 * piece + 1000), at(millis));
        }
    }

    fn rate(queue: &mut RetransmissionQueue) -> &mut DeliveryRate {
        queue.rate.as_mut().unwrap()
    }

    #[test]
    fn bbr_4_1_1_2_rate_is_what_was_delivered_over_the_longer_of_send_and_ack_time() {
        let mut queue = queue();
        push(&mut queue, 0..10, 100);
        rate(&mut queue).begin(at(150));
        queue.acknowledge(Seq(5000), |_| ());
        let sample = rate(&mut queue).sample(5000, 50 * MS);
        // From the sending of the first, as nothing was in flight before.
        assert_eq!((sample.delivered, sample.delivery_rate), (5000, 100_000));
        assert_eq!(
            (sample.prior_delivered, sample.newly_acked),
            (Some(0), 5000)
        );
        assert_eq!(sample.tx_in_flight, 5000);
        assert_eq!(sample.rtt, Some(50 * MS));
        // Acknowledgements that come at once say nothing: the pieces took 40 ms to be sent.
        push(&mut queue, 10..11, 150);
        push(&mut queue, 11..12, 190);
        rate(&mut queue).begin(at(191));
        queue.acknowledge(Seq(12_000), |_| ());
        let sample = rate(&mut queue).sample(0, MS);
        assert_eq!(sample.delivered, 7000);
        assert_eq!(sample.delivery_rate, 7000 * 1000 / 90);
    }

    #[test]
    fn bbr_4_1_2_3_an_interval_below_the_least_round_trip_time_gives_no_rate() {
        let mut queue = queue();
        push(&mut queue, 0..2, 100);
        rate(&mut queue).begin(at(120));
        queue.mark_lost(|_| Some(true));
        queue.retransmitted(0, at(149));
        // The original arrives.
        rate(&mut queue).begin(at(150));
        queue.acknowledge(Seq(1000), |_| ());
        let sample = rate(&mut queue).sample(0, 50 * MS);
        assert_eq!((sample.delivery_rate, sample.rtt), (0, None));
        assert_eq!(sample.newly_acked, 1000);
    }

    #[test]
    fn bbr_4_1_2_3_what_was_sacked_is_not_delivered_again() {
        let mut queue = queue();
        push(&mut queue, 0..4, 100);
        rate(&mut queue).begin(at(150));
        queue.sack(Seq(2000), Seq(4000), |_| ());
        assert_eq!(rate(&mut queue).sample(2000, MS).newly_acked, 2000);
        rate(&mut queue).begin(at(160));
        queue.acknowledge(Seq(3500), |_| ());
        assert_eq!(rate(&mut queue).sample(0, MS).newly_acked, 2000);
        rate(&mut queue).begin(at(170));
        queue.acknowledge(Seq(4000), |_| ());
        let sample = rate(&mut queue).sample(0, MS);
        assert_eq!((sample.newly_acked, sample.total_delivered), (0, 4000));
        assert_eq!(sample.prior_delivered, None);
    }

    #[test]
    fn bbr_4_1_2_4_samples_are_application_limited_until_the_bubble_is_delivered() {
        let mut queue = queue();
        push(&mut queue, 0..2, 100);
        rate(&mut queue).mark_app_limited(2000);
        push(&mut queue, 2..4, 110);
        rate(&mut queue).begin(at(160));
        queue.acknowledge(Seq(2000), |_| ());
        assert!(!rate(&mut queue).sample(2000, MS).is_app_limited);
        // The last octet of the bubble is not delivered before what follows it is.
        assert!(rate(&mut queue).is_app_limited());
        rate(&mut queue).begin(at(170));
        queue.acknowledge(Seq(3000), |_| ());
        assert!(rate(&mut queue).sample(1000, MS).is_app_limited);
        assert!(!rate(&mut queue).is_app_limited());
        push(&mut queue, 4..5, 170);
        rate(&mut queue).begin(at(230));
        queue.acknowledge(Seq(5000), |_| ());
        assert!(!rate(&mut queue).sample(0, MS).is_app_limited);
    }

    #[test]
    fn bbr_4_1_1_2_the_window_is_the_limit_until_all_that_filled_it_is_delivered() {
        let mut queue = queue();
        push(&mut queue, 0..6, 100);
        queue.acknowledge(Seq(2000), |_| ());
        rate(&mut queue).mark_cwnd_limited(2000);
        for (ack, limited) in [(4000, true), (5000, false)] {
            rate(&mut queue).begin(at(150));
            queue.acknowledge(Seq(ack), |_| ());
            assert_eq!(rate(&mut queue).sample(0, MS).cwnd_limited, limited);
        }
    }

    #[test]
    fn bbr_4_1_2_3_each_part_of_a_piece_is_delivered_once() {
        let mut queue = queue();
        push(&mut queue, 0..1, 100);
        for (ack, delivered) in [(300, 300), (1000, 700)] {
            rate(&mut queue).begin(at(150));
            queue.acknowledge(Seq(ack), |_| ());
            let sample = rate(&mut queue).sample(0, MS);
            assert_eq!(
                (sample.newly_acked, sample.total_delivered),
                (delivered, ack.into())
            );
        }
    }

    #[test]
    fn samples_of_an_empty_queue_hold_nothing_once_it_is_idle() {
        let mut queue = queue();
        push(&mut queue, 0..100, 100);
        queue.mark_lost(|_| Some(true));
        rate(&mut queue).take_lost().for_each(drop);
        queue.acknowledge(Seq(100_000), |_| ());
        queue.shrink();
        assert_eq!(rate(&mut queue).held(), size_of::<DeliveryRate>());
    }

    #[test]
    fn bbr_5_5_10_2_a_loss_tells_what_was_in_flight_and_lost_since() {
        let mut queue = queue();
        push(&mut queue, 0..5, 100);
        rate(&mut queue).begin(at(150));
        queue.sack(Seq(4000), Seq(5000), |_| ());
        queue.mark_lost(|piece| Some(piece.start.lt(Seq(2000))));
        let lost: Vec<_> = rate(&mut queue).take_lost().collect();
        let facts = lost.iter().map(|it| (it.start, it.tx_in_flight, it.lost));
        assert!(facts.eq([(0, 1000, 1000), (1000, 2000, 2000)]));
        assert_eq!(rate(&mut queue).sample(2000, MS).lost, 2000);
        // What is lost for another reason than congestion is not counted.
        queue.mark_lost(|_| Some(true));
        queue.excuse_lost();
        assert_eq!(rate(&mut queue).take_lost().count(), 0);
        assert_eq!(rate(&mut queue).sample(0, MS).lost, 2000);
    }

    #[test]
    fn bbr_4_1_2_3_what_was_lost_before_a_piece_was_sent_is_not_in_its_sample() {
        let mut queue = queue();
        push(&mut queue, 0..2, 100);
        rate(&mut queue).begin(at(150));
        queue.mark_lost(|_| Some(true));
        push(&mut queue, 2..3, 160);
        rate(&mut queue).begin(at(210));
        queue.sack(Seq(2000), Seq(3000), |_| ());
        assert_eq!(rate(&mut queue).sample(0, MS).lost, 0);
    }

    #[test]
    fn a_piece_that_is_split_keeps_its_snapshot_in_both_parts() {
        let mut queue = queue();
        push(&mut queue, 0..3, 100);
        queue.mark_lost(|_| Some(true));
        while let Some((index, _)) = queue.next_lost(600, Seq(3000)) {
            queue.retransmitted(index, at(200));
        }
        rate(&mut queue).begin(at(260));
        queue.acknowledge(Seq(3000), |_| ());
        let sample = rate(&mut queue).sample(0, MS);
        assert_eq!((sample.newly_acked, sample.delivery_rate), (3000, 50_000));
        assert_eq!(rate(&mut queue).snapshots.len(), 0);
    }
}
