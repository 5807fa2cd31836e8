//! The attacks, in an order that the seed decides.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use system_tests::attacks::{self, ClosedWindow, Family, Strangers};
use system_tests::frames::Link;

type Attack = fn(&mut Link, Strangers, &mut Rng);

/// Each a burst of a few thousand frames at most, or of a few seconds.
const ATTACKS: [(&str, Attack); 14] = [
    ("slivers", |link, from, rng| {
        attacks::slivers(link, from, rng.usize(1..32), rng.u32(1..190));
    }),
    ("gaps", |link, from, rng| {
        attacks::gaps(link, from, rng.usize(1..128), 64_000);
    }),
    ("closed", |link, from, rng| {
        let (count, time) = (rng.usize(1..64), seconds(rng, 4.0));
        attacks::closed_windows(link, from, count, ClosedWindow::Silent, time);
    }),
    ("answering", |link, from, rng| {
        let (count, time) = (rng.usize(1..64), seconds(rng, 4.0));
        attacks::closed_windows(link, from, count, ClosedWindow::Answering, time);
    }),
    ("idle", |link, from, rng| {
        attacks::hold(link, from, rng.usize(1..4000), b"");
    }),
    ("idle-1", |link, from, rng| {
        let request = vec![b'o'; rng.usize(1..1400)];
        attacks::hold(link, from, rng.usize(1..2000), &request);
    }),
    ("time-wait", |link, from, rng| {
        attacks::time_waits(link, from, rng.usize(1..2000));
    }),
    ("small-mss", |link, from, rng| {
        let (mss, time) = (rng.u16(..64), seconds(rng, 2.0));
        attacks::small_segments(link, from, rng.usize(1..4), mss, time);
    }),
    ("half-open", |link, from, rng| {
        attacks::half_open(link, from, rng.usize(1..6000), rng);
    }),
    ("resets", |link, from, rng| {
        attacks::resets(link, from, rng.usize(1..6000), rng);
    }),
    ("pong", |link, from, rng| {
        attacks::echo_replies(link, from, rng.usize(1..150));
    }),
    ("fragments", |link, from, rng| {
        attacks::fragments_without_end(link, from, rng.usize(1..200), 32_000);
    }),
    ("reflect", |link, from, rng| {
        attacks::reflections(link, from, rng.usize(1..6000), rng);
    }),
    ("noise", |link, from, rng| {
        attacks::noise(link, from, rng.usize(1..4000), rng);
        attacks::unknown_neighbours(link, rng.usize(1..500));
    }),
];

fn seconds(rng: &mut Rng, most: f64) -> Duration {
    Duration::from_secs_f64(rng.f64() * most)
}

/// How often each attack was made, and how many frames that took altogether.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    bursts: [AtomicU64; ATTACKS.len()],
    frames: AtomicU64,
}

impl Counts {
    /// The counters in one line.
    pub(crate) fn text(&self) -> String {
        let bursts = ATTACKS.iter().zip(&self.bursts);
        let text =
            bursts.map(|((name, _), count)| format!("{name} {}", count.load(Ordering::Relaxed)));
        let text: Vec<String> = text.collect();
        let frames = self.frames.load(Ordering::Relaxed);
        format!("{frames} frames; {}", text.join(", "))
    }
}

/// One burst after the other, with pauses, until it is over.
pub(crate) fn attack(link: &mut Link, seed: u64, counts: &Counts, over: &AtomicBool) {
    let mut rng = Rng::with_seed(seed);
    let mut first = 0;
    while !over.load(Ordering::Relaxed) {
        let chosen = rng.usize(..ATTACKS.len());
        let from = Strangers {
            family: if rng.bool() { Family::V4 } else { Family::V6 },
            first,
            ports_each: if rng.bool() { 1 } else { 60_000 },
        };
        // No address comes again before all have had their turn.
        first = (first + 10_000) % (1 << 20);
        ATTACKS[chosen].1(link, from, &mut rng);
        counts.bursts[chosen].fetch_add(1, Ordering::Relaxed);
        counts.frames.store(link.sent(), Ordering::Relaxed);
        thread::sleep(seconds(&mut rng, 1.0));
    }
}
