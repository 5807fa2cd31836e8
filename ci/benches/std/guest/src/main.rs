//! `std-guest CASE SECONDS`: prints the nanoseconds that one of what the case does takes. `std-guest idle THREADS` makes
//! threads that wait, prints `ready`, and stays.

mod files;

use std::env;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
/// What a unikernel stands on.
use mkernel as _;

/// How often something is done between two looks at the clock.
const BATCH: u32 = 100;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [case, number] = &arguments[..] else {
        bail!("{arguments:?}: expected CASE SECONDS");
    };
    let number = number.parse().context("a number")?;
    if case == "idle" {
        return idle(number);
    }
    let length = Duration::from_secs(number);
    let nanoseconds = match case.as_str() {
        "spawn-join" => repeat(length, || thread::spawn(|| black_box(1)).join().is_ok()),
        "mutex-free" => mutex_free(length),
        "mutex-contended" => mutex_contended(length),
        "yield" => yields(length),
        "park-unpark" => park_unpark(length),
        "channel" => channel(length),
        "condition" => condition(length),
        _ => files::measure(case, length)?,
    };
    println!("{nanoseconds}");
    Ok(())
}

/// The nanoseconds of one call. Once a batch of them before that does not count.
fn repeat(length: Duration, mut once: impl FnMut() -> bool) -> f64 {
    let mut batch = || (0..BATCH).for_each(|_| assert!(once()));
    batch();
    let start = Instant::now();
    let mut batches = 0_u32;
    while start.elapsed() < length {
        batch();
        batches += 1;
    }
    start.elapsed().as_nanos() as f64 / f64::from(batches) / f64::from(BATCH)
}

fn mutex_free(length: Duration) -> f64 {
    let lock = Mutex::new(0_u64);
    repeat(length, || {
        *black_box(&lock).lock().unwrap() += 1;
        true
    })
}

/// Four threads that each give way while they hold the lock.
fn mutex_contended(length: Duration) -> f64 {
    let (lock, done) = (Mutex::new(()), AtomicBool::new(false));
    let hold = || {
        let held = lock.lock().unwrap();
        thread::yield_now();
        drop(held);
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    hold();
                }
            });
        }
        let time = repeat(length, || {
            hold();
            true
        });
        done.store(true, Ordering::Relaxed);
        time
    })
}

/// Two threads that give way to each other: half a turn is a switch.
fn yields(length: Duration) -> f64 {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        });
        let turn = repeat(length, || {
            thread::yield_now();
            true
        });
        done.store(true, Ordering::Relaxed);
        turn / 2.0
    })
}

/// There and back by `park` and `unpark`, which is a futex's wait and wake each.
fn park_unpark(length: Duration) -> f64 {
    let turn = Arc::new((AtomicBool::new(false), AtomicBool::new(false)));
    let main = thread::current();
    let seen = turn.clone();
    let other = thread::spawn(move || {
        while !seen.1.load(Ordering::Relaxed) {
            while !seen.0.load(Ordering::Relaxed) && !seen.1.load(Ordering::Relaxed) {
                thread::park();
            }
            seen.0.store(false, Ordering::Relaxed);
            main.unpark();
        }
    });
    let time = repeat(length, || {
        turn.0.store(true, Ordering::Relaxed);
        other.thread().unpark();
        while turn.0.load(Ordering::Relaxed) {
            thread::park();
        }
        true
    });
    turn.1.store(true, Ordering::Relaxed);
    other.thread().unpark();
    drop(other.join());
    time
}

/// There and back by two channels.
fn channel(length: Duration) -> f64 {
    let (to, from) = mpsc::channel::<u64>();
    let (back, answers) = mpsc::channel();
    let echo = thread::spawn(move || from.into_iter().all(|number| back.send(number).is_ok()));
    let time = repeat(length, || to.send(1).is_ok() && answers.recv() == Ok(1));
    drop(to);
    drop(echo.join());
    time
}

/// There and back by a mutex and a condition variable.
fn condition(length: Duration) -> f64 {
    let shared = Arc::new((Mutex::new(0_u8), Condvar::new()));
    let pass = |shared: &(Mutex<u8>, Condvar), mine: u8, next: u8| {
        let (lock, changed) = shared;
        let mut turn = changed
            .wait_while(lock.lock().unwrap(), |turn| *turn != mine && *turn != 2)
            .unwrap();
        let goes_on = *turn != 2;
        if goes_on {
            *turn = next;
        }
        drop(turn);
        changed.notify_one();
        goes_on
    };
    let theirs = shared.clone();
    let other = thread::spawn(move || while pass(&theirs, 1, 0) {});
    let time = repeat(length, || pass(&shared, 0, 1));
    *shared.0.lock().unwrap() = 2;
    shared.1.notify_one();
    drop(other.join());
    time
}

fn idle(threads: u64) -> Result<()> {
    for _ in 0..threads {
        thread::spawn(thread::park);
    }
    // All have begun to wait.
    thread::sleep(Duration::from_millis(200));
    println!("ready");
    loop {
        thread::sleep(Duration::from_secs(60));
    }
}
