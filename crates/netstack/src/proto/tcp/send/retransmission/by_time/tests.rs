//! The search that stops early against one that looks at everything.

use super::{Moment, sent_after};
use crate::proto::Instant;
use crate::proto::tcp::send::retransmission::RetransmissionQueue;
use crate::proto::tcp::send::sent::Sent;
use crate::proto::tcp::wire::seq::Seq;

const PATIENCE: u64 = 40;

/// Numbers that repeat in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// RFC 8985 §6.2 step 5 as it is written: which pieces are lost, by their starts, and the shortest
/// wait.
fn reference(queue: &RetransmissionQueue, latest: Moment, now: Instant) -> (Vec<Seq>, Option<u64>) {
    let (mut lost, mut wait) = (Vec::new(), None);
    for piece in queue.sent.iter() {
        let open = !piece.sacked && !piece.lost;
        if open && sent_after(latest, (piece.time, piece.end)) {
            let deadline = piece.time.after_nanos(PATIENCE);
            if deadline <= now {
                lost.push(piece.start);
            } else {
                let remaining = deadline.nanos_since(now);
                wait = Some(wait.map_or(remaining, |wait: u64| wait.min(remaining)));
            }
        }
    }
    (lost, wait)
}

fn starts_of_lost(queue: &RetransmissionQueue) -> Vec<Seq> {
    let lost = queue.sent.iter().filter(|piece| piece.lost);
    lost.map(|piece| piece.start).collect()
}

/// What a peer and the timers do to a queue, whatever the order.
struct Life {
    random: Random,
    queue: RetransmissionQueue,
    now: u64,
    nxt: Seq,
    latest: Moment,
}

impl Life {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    /// Notes what has arrived, as RACK does.
    fn delivered(&mut self, pieces: Vec<Sent>) {
        for piece in pieces {
            let moment = (piece.time, piece.end);
            if sent_after(moment, self.latest) {
                self.latest = moment;
            }
        }
    }

    fn step(&mut self) {
        self.now += self.random.below(12) as u64;
        let pieces = self.queue.pieces();
        let at = self.random.below(pieces);
        let piece = self.queue.sent.get(at).copied();
        match (self.random.below(20), piece) {
            (0..=6, _) if pieces < 60 => {
                let end = self.nxt + 1 + self.random.below(200) as u32;
                self.queue.push(self.nxt, end, self.now());
                self.nxt = end;
            }
            (7..=10, Some(piece)) => {
                let last = self.queue.sent[(at + self.random.below(3)).min(pieces - 1)];
                let mut told = Vec::new();
                self.queue
                    .sack(piece.start, last.end, |new| told.push(*new));
                self.delivered(told);
            }
            (11, Some(_)) => {
                let piece = self.queue.sent[at / 4];
                let una = piece.start + self.random.below(piece.len() as usize + 1) as u32;
                let mut told = Vec::new();
                self.queue.acknowledge(una, |new| told.push(*new));
                self.delivered(told);
            }
            (12..=15, Some(_)) => {
                let max = 1 + self.random.below(150) as u32;
                if let Some((index, _)) = self.queue.next_lost(max, self.nxt) {
                    self.queue.retransmitted(index, self.now());
                }
            }
            (16, Some(_)) => {
                let last = self.random.below(2) == 0;
                if let Some((index, piece)) = self.queue.probe(last, 100)
                    && !piece.sacked
                {
                    self.queue.retransmitted(index, self.now());
                }
            }
            (17, Some(_)) if self.random.below(6) == 0 => self.queue.undo_lost(),
            (18, Some(_)) if self.random.below(6) == 0 => self.queue.forget_sacked(),
            (19, Some(_)) if self.random.below(6) == 0 => {
                self.queue.mark_lost(|piece| Some(piece.len() > 120));
            }
            _ => {}
        }
    }
}

#[test]
fn rfc8985_6_2_step_5_finds_what_a_look_at_every_piece_finds() {
    let (mut count, mut waited) = (0, 0);
    for seed in 1..=300 {
        let mut life = Life {
            random: Random(seed * 0x9e37_79b9),
            queue: RetransmissionQueue::default(),
            now: 1000,
            nxt: Seq(u32::MAX - 5000),
            latest: (Instant::from_nanos(0), Seq(u32::MAX - 5000)),
        };
        for step in 0..400 {
            life.step();
            let now = life.now();
            let before = starts_of_lost(&life.queue);
            let (lost, wait) = reference(&life.queue, life.latest, now);
            let found = life.queue.mark_overdue(life.latest, now, PATIENCE);
            let told = found.wait;
            let after = starts_of_lost(&life.queue);
            let new: Vec<Seq> = after
                .into_iter()
                .filter(|start| !before.contains(start))
                .collect();
            assert_eq!(new, lost, "seed {seed}, step {step}");
            assert_eq!(found.lost, !lost.is_empty());
            count += lost.len();
            // When there is something to find, and no later than if what has arrived last were to
            // wait as well.
            assert_eq!(told.is_some(), wait.is_some(), "seed {seed}, step {step}");
            if let (Some(told), Some(wait)) = (told, wait) {
                let most = life.latest.0.after_nanos(PATIENCE).nanos_since(now);
                assert!(
                    (wait..=most).contains(&told),
                    "seed {seed}, step {step}: {wait} <= {told} <= {most}"
                );
                waited += 1;
            }
            let resent = life
                .queue
                .index
                .as_ref()
                .map_or(0, |index| index.resent.len());
            assert!(resent <= 2 * life.queue.pieces() + 16, "{resent}");
        }
    }
    assert!(count > 1000 && waited > 1000, "{count}, {waited}");
}

#[test]
fn rfc8985_6_2_of_pieces_sent_again_at_one_time_none_hides_another() {
    let mut queue = RetransmissionQueue::default();
    let [first, second, third] = [0, 1, 2].map(|number| Seq(100 * number));
    let at = Instant::from_nanos;
    for start in [first, second, third] {
        queue.push(start, start + 100, at(1000));
    }
    // A probe sends the last one again, then the first two follow, all by one reading of the clock.
    for index in [2, 0, 1] {
        queue.retransmitted(index, at(2000));
    }
    // The second has arrived: the first was sent before it, the third was not.
    queue.sack(second, third, |_| {});
    let found = queue.mark_overdue((at(2000), third), at(2000 + PATIENCE), PATIENCE);
    assert_eq!((found.lost, found.wait), (true, None));
    assert_eq!(found.again, Some(at(2000)));
    assert_eq!(starts_of_lost(&queue), [first]);
}
