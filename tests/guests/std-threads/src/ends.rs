//! Cases that end the program.

use std::hint::black_box;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

/// The cases by their names.
pub(crate) const CASES: &[(&str, fn())] = &[
    ("deadlock", deadlock),
    ("deadlock_of_tasks", deadlock_of_tasks),
    ("overflow", overflow),
    ("overflow_by", overflow_by),
    ("computes", computes),
    ("exits", exits),
    ("main_first", main_first),
];

/// Two threads that wait for each other's locks, and main for one of them.
fn deadlock() {
    let [one, other] = [0, 1].map(|_| Arc::new(Mutex::new(())));
    let spawn = |name: &str, [first, second]: [Arc<Mutex<()>>; 2]| {
        let named = thread::Builder::new().name(name.into());
        named.spawn(move || {
            let _first = first.lock().unwrap();
            thread::yield_now();
            let _second = second.lock().unwrap();
        })
    };
    let left = spawn("left", [one.clone(), other.clone()]).unwrap();
    let _right = spawn("right", [other, one]).unwrap();
    left.join().unwrap();
}

/// A thread that waits for a task, which waits for another, which waits for a lock that a thread keeps.
fn deadlock_of_tasks() {
    let _for_ever = thread::Builder::new()
        .name("for ever".into())
        .spawn(thread::park);
    mkernel::run(async {
        let last = mkernel::spawn_named("last", async {
            std::future::poll_fn::<(), _>(|context| {
                keep(context.waker().clone());
                std::task::Poll::Pending
            })
            .await;
        });
        let first = mkernel::spawn_named("first", last);
        let _ = first.await;
    });
}

/// Keeps a waker that nobody wakes.
#[inline(never)]
fn keep(waker: std::task::Waker) {
    std::mem::forget(black_box(waker));
}

fn overflow() {
    fn deep(level: usize) -> usize {
        let frame = black_box([level; 64]);
        if level == 0 {
            // It is found when the thread waits.
            thread::yield_now();
            return frame[0];
        }
        deep(level - 1) + frame[63]
    }
    // What is below may be written over.
    let _below = black_box(vec![0_u8; 1 << 20]);
    let named = thread::Builder::new()
        .name("deep".into())
        .stack_size(64 << 10);
    let thread = named.spawn(|| deep(black_box(200)));
    thread.unwrap().join().unwrap();
}

/// A thread that needs so many frames of about 4 KiB as the second argument says, of a stack of 160 KiB, and a third one
/// says whether it prints what it has found; in any case it ends then.
fn overflow_by() {
    fn deep(level: usize) -> usize {
        let mut frame = [level; 500];
        black_box(&mut frame);
        if level == 0 {
            return frame[0];
        }
        frame[level % 500] = deep(level - 1);
        black_box(&mut frame)[level % 500]
    }
    let frames: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let is_loud = std::env::args().nth(3).is_some();
    let named = thread::Builder::new()
        .name("deep".into())
        .stack_size(128 << 10);
    let thread = named.spawn(move || {
        let sum = deep(black_box(frames));
        if is_loud {
            println!("{sum}");
        }
        sum
    });
    thread.unwrap().join().unwrap();
}

/// A thread that computes while others are there, and gives way in none of its calls.
fn computes() {
    let (sender, receiver) = mpsc::channel::<()>();
    let _waits = thread::spawn(move || receiver.recv());
    let named = thread::Builder::new().name("busy".into());
    let busy = named.spawn(|| {
        for _ in 0..2 {
            let start = SystemTime::now();
            while start.elapsed().unwrap() < Duration::from_millis(1_100) {}
            thread::yield_now();
        }
    });
    busy.unwrap().join().unwrap();
    drop(sender);
    println!("done");
}

/// The end of the program, in a thread.
fn exits() {
    let _never = thread::spawn(|| std::process::exit(7)).join();
    thread::park();
}

/// main ends, and so the program, with threads that still wait.
fn main_first() {
    let _waits = thread::spawn(|| {
        thread::sleep(Duration::from_secs(3_600));
        println!("not reached");
    });
    thread::yield_now();
    println!("main ends");
}
