//! Everything at once, in an order that a seed gives: threads that make others, join and detach them, wait at addresses with
//! and without deadlines, wake and move each other, give way, and run futures.

use core::time::Duration;
use std::cell::Cell;
use std::rc::Rc;

use fastrand::Rng;
use miou_rs::{Builder, Instant};

use super::{call, run_with, spawn, together};
use crate::parking::{ALL, park, requeue, unpark};
use crate::scheduler::inside;
use crate::thread::{self, Thread};
use crate::wait::{give_way, wait_until};

/// Addresses that threads wait at: few, so that many meet.
const PLACES: usize = 5;
/// How many threads are made in a run, one by another.
const THREADS: usize = 1_000;

#[derive(Default)]
struct World {
    made: Cell<usize>,
    ended: Cell<usize>,
    woken: Cell<usize>,
    waited: Cell<usize>,
}

impl World {
    /// One more, if there may be.
    fn may_make(&self) -> bool {
        let made = self.made.get();
        self.made.set(made + 1);
        made < THREADS
    }
}

fn place(random: &mut Rng) -> usize {
    0x1000 * (1 + random.usize(..PLACES))
}

fn soon(random: &mut Rng) -> Instant {
    inside(Instant::now) + Duration::from_micros(random.u64(..200))
}

/// What a thread does: some steps, and then the end of those that it has made.
fn live(world: &Rc<World>, mut random: Rng) {
    let mut children: Vec<&'static Thread> = Vec::new();
    for _ in 0..random.usize(3..12) {
        match random.u8(0..8) {
            0 | 1 if world.may_make() => {
                let (shared, fork) = (world.clone(), random.fork());
                let body = move || live(&shared, fork);
                match random.bool() {
                    true => children.push(spawn(body)),
                    false => drop(thread::spawn(256 << 10, call(body), true)),
                }
            }
            2 | 3 => {
                let deadline = soon(&mut random);
                let mask = 1 << random.u32(..4);
                let woken = park("a test", place(&mut random), mask, Some(deadline));
                assert!(woken || inside(Instant::now) >= deadline);
                let counted = if woken { &world.woken } else { &world.waited };
                counted.set(counted.get() + 1);
            }
            4 => drop(unpark(place(&mut random), random.usize(1..4), ALL)),
            5 => drop(requeue(place(&mut random), 2, place(&mut random))),
            6 => {
                let time = Duration::from_micros(random.u64(..200));
                let mut sleep = core::pin::pin!(inside(|| miou_rs::sleep(time)));
                let deadline = Some(soon(&mut random));
                let late = wait_until("a test", deadline, |context| sleep.as_mut().poll(context));
                let counted = if late.is_some() {
                    &world.woken
                } else {
                    &world.waited
                };
                counted.set(counted.get() + 1);
            }
            _ => give_way(),
        }
    }
    together(children);
    world.ended.set(world.ended.get() + 1);
}

#[test]
fn a_thousand_threads_of_all_kinds_end_whatever_the_order() {
    for seed in 0..12 {
        run_with(Builder::new().seed(seed), move || {
            let world = Rc::new(World::default());
            let mut random = Rng::with_seed(seed);
            while world.may_make() {
                let (shared, fork) = (world.clone(), random.fork());
                let root = spawn(move || live(&shared, fork));
                if random.u8(0..4) == 0 {
                    together([root]);
                } else {
                    crate::pthread::threads::tests::detach(root);
                }
            }
            while Thread::all().count() > 1 {
                give_way();
                park("a test", 1, ALL, Some(soon(&mut random)));
            }
            assert_eq!(world.ended.get(), THREADS, "seed {seed}");
            assert!(
                world.woken.get() > 100,
                "seed {seed}: {}",
                world.woken.get()
            );
            assert!(
                world.waited.get() > 100,
                "seed {seed}: {}",
                world.waited.get()
            );
        });
    }
}
