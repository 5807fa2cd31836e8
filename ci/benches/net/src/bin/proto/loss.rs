//! Goodput over a link that loses frames, in virtual time.

use std::collections::VecDeque;

use anyhow::{Result, ensure};

use crate::endpoint::{Endpoint, Frames, Role, make};

/// From one end to the other: 20 ms there and back.
const DELAY: u64 = 10_000_000;
/// Nanoseconds that an octet takes at 1 Gbit/s.
const NANOS_PER_OCTET: u64 = 8;
/// Octets that wait before the link, at most.
const QUEUE: u64 = 1 << 20;
/// Seeds, over which goodput is averaged.
const SEEDS: u64 = 5;

/// One direction of the link.
struct Wire {
    /// Frames under way and their arrival.
    frames: VecDeque<(u64, Vec<u8>)>,
    /// When the last frame has left.
    free: u64,
    random: u64,
    loss: f64,
}

impl Wire {
    fn new(loss: f64, seed: u64) -> Self {
        Self {
            frames: VecDeque::new(),
            free: 0,
            random: seed,
            loss,
        }
    }

    fn send(&mut self, now: u64, frame: &[u8]) {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let lost = ((self.random >> 33) as f64 / (1u64 << 31) as f64) < self.loss;
        let waiting = self.free.saturating_sub(now) / NANOS_PER_OCTET;
        if lost || waiting > QUEUE {
            return;
        }
        self.free = self.free.max(now) + frame.len() as u64 * NANOS_PER_OCTET;
        self.frames.push_back((self.free + DELAY, frame.to_vec()));
    }

    fn arrived(&mut self, now: u64, into: &mut Frames) {
        while self.frames.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, frame)) = self.frames.pop_front() {
                into.push(&frame);
            }
        }
    }
}

/// Gbit/s of octets that the reader got; frames of both directions are lost at the rate `loss`.
pub fn run(subject: &str, loss: f64, seconds: u64) -> Result<f64> {
    let mut sum = 0.0;
    for seed in 1..=SEEDS {
        let mut ends = [make(subject, Role(0))?, make(subject, Role(1))?];
        let octets = transfer(&mut ends, loss, seed, seconds * 1_000_000_000)?;
        sum += octets as f64 * 8.0 / seconds as f64 / 1e9;
    }
    Ok(sum / SEEDS as f64)
}

fn transfer(ends: &mut [Box<dyn Endpoint>; 2], loss: f64, seed: u64, end: u64) -> Result<usize> {
    // Towards end 0 and towards end 1.
    let mut wires = [Wire::new(loss, 2 * seed), Wire::new(loss, 2 * seed + 1)];
    let (mut now, mut octets, mut still) = (0, 0, 0);
    let mut frames = Frames::default();
    while now < end {
        for index in [0, 1] {
            frames.clear();
            wires[index].arrived(now, &mut frames);
            if frames.get(0).is_some() {
                ends[index].receive(now, &frames);
            }
        }
        ends[0].write(now);
        octets += ends[1].read(now);
        for index in [0, 1] {
            frames.clear();
            ends[index].poll(now, &mut frames);
            for frame in frames.iter() {
                wires[1 - index].send(now, frame);
            }
        }
        let arrivals = wires
            .iter()
            .filter_map(|wire| wire.frames.front().map(|(at, _)| *at));
        let timers = ends.iter_mut().filter_map(|end| end.poll_at(now));
        let next = arrivals.chain(timers).min().unwrap_or(end).max(now);
        still = if next == now { still + 1 } else { 0 };
        ensure!(still < 1000, "time stands still at {now} ns");
        // A stack that wants to be polled at once gets its turn a microsecond later.
        now = if next == now { now + 1000 } else { next };
    }
    Ok(octets)
}
