//! Cases that return.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier, Condvar, Mutex, Once, OnceLock, RwLock};
use std::thread;
use std::time::{Duration, Instant};

/// The cases by their names.
pub(crate) const CASES: &[(&str, fn())] = &[
    ("join", join),
    ("many", many),
    ("small_stacks", small_stacks),
    ("scope", scope),
    ("names", names),
    ("park", park),
    ("sleep", sleep),
    ("yields", yields),
    ("looks_at_the_clock", looks_at_the_clock),
    ("mutex", mutex),
    ("poisoned", poisoned),
    ("read_write_lock", read_write_lock),
    ("condition", condition),
    ("condition_with_timeout", condition_with_timeout),
    ("barrier", barrier),
    ("once", once),
    ("channel", channel),
    ("rendezvous", rendezvous),
    ("channel_with_timeout", channel_with_timeout),
    ("thread_locals", thread_locals),
    ("c", crate::c::objects),
    ("c_numbers", crate::c::numbers),
    ("tasks", tasks),
    ("no_memory", no_memory),
];

fn join() {
    let thread = thread::spawn(|| 6 * 7);
    assert_eq!(thread.join().unwrap(), 42);
    let panicked = thread::spawn(|| panic!("expected")).join();
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"expected"));
    assert_eq!(thread::available_parallelism().unwrap().get(), 1);
}

/// As many as there is memory for at a time, again and again: stacks are given back, also of threads that nobody joins.
fn many() {
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    for _ in 0..2_000 {
        drop(thread::spawn(|| ENDED.fetch_add(1, Ordering::Relaxed)));
        thread::spawn(|| ENDED.fetch_add(1, Ordering::Relaxed))
            .join()
            .unwrap();
    }
    while ENDED.load(Ordering::Relaxed) < 4_000 {
        thread::yield_now();
    }
}

fn small_stacks() {
    let (sender, receiver) = mpsc::channel();
    let gate = Arc::new(Barrier::new(1_001));
    for number in 0..1_000_usize {
        let (sender, gate) = (sender.clone(), gate.clone());
        thread::Builder::new()
            .stack_size(32 << 10)
            .spawn(move || {
                gate.wait();
                sender.send(number).unwrap();
            })
            .unwrap();
    }
    drop(sender);
    gate.wait();
    assert_eq!(receiver.iter().sum::<usize>(), 999 * 500);
}

fn scope() {
    let mut numbers = [1, 2, 3, 4];
    let (left, right) = numbers.split_at_mut(2);
    thread::scope(|scope| {
        for half in [left, right] {
            scope.spawn(|| {
                thread::yield_now();
                half.iter_mut().for_each(|number| *number *= 10);
            });
        }
    });
    assert_eq!(numbers, [10, 20, 30, 40]);
}

fn names() {
    assert_eq!(thread::current().name(), Some("main"));
    let named = thread::Builder::new().name("worker".into());
    let name = named.spawn(|| thread::current().name().map(str::to_owned));
    assert_eq!(name.unwrap().join().unwrap().as_deref(), Some("worker"));
}

fn park() {
    let parked = thread::spawn(thread::park);
    parked.thread().unpark();
    parked.join().unwrap();
    // One that comes first is kept.
    thread::current().unpark();
    thread::park();
    let start = Instant::now();
    thread::park_timeout(Duration::from_millis(5));
    assert!(start.elapsed() >= Duration::from_millis(5));
}

fn sleep() {
    let threads = [3, 1, 2].map(|milliseconds| {
        thread::spawn(move || {
            let (start, time) = (Instant::now(), Duration::from_millis(milliseconds));
            thread::sleep(time);
            assert!(start.elapsed() >= time);
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Who does nothing else gives way: to a thread that is ready, and to one that sleeps.
fn looks_at_the_clock() {
    for pause in [Duration::ZERO, Duration::from_millis(3)] {
        let done = Arc::new(AtomicBool::new(false));
        let seen = done.clone();
        let other = thread::spawn(move || {
            if !pause.is_zero() {
                thread::sleep(pause);
            }
            seen.store(true, Ordering::Relaxed);
        });
        let mut last = Instant::now();
        while !done.load(Ordering::Relaxed) {
            let now = Instant::now();
            assert!(last <= now);
            last = now;
        }
        other.join().unwrap();
    }
}

fn yields() {
    let turns = Arc::new(AtomicUsize::new(0));
    let threads = [0, 1, 2].map(|own| {
        let turns = turns.clone();
        thread::spawn(move || {
            for round in 0..100 {
                assert_eq!(turns.fetch_add(1, Ordering::Relaxed), round * 3 + own);
                thread::yield_now();
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
}

fn mutex() {
    let count = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let mut count = count.lock().unwrap();
                    let before = *count;
                    // Others get to wait for the lock.
                    thread::yield_now();
                    *count = before + 1;
                }
            });
        }
    });
    assert_eq!(count.into_inner().unwrap(), 800);
}

fn poisoned() {
    let lock = Arc::new(Mutex::new(1));
    let held = lock.clone();
    let thread = thread::spawn(move || {
        let _guard = held.lock().unwrap();
        thread::yield_now();
        panic!("while it holds the lock");
    });
    thread::yield_now();
    let found = lock.lock().map(|value| *value);
    assert!(found.is_err_and(|poisoned| *poisoned.into_inner() == 1));
    thread.join().unwrap_err();
}

fn read_write_lock() {
    let lock = RwLock::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let seen = lock.read().unwrap();
                    thread::yield_now();
                    assert_eq!(*seen % 2, 0);
                }
            });
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut value = lock.write().unwrap();
                    *value += 1;
                    thread::yield_now();
                    *value += 1;
                }
            });
        }
    });
    assert_eq!(lock.into_inner().unwrap(), 400);
}

fn condition() {
    let (lock, changed) = (Mutex::new(0), Condvar::new());
    thread::scope(|scope| {
        for turn in 0..10 {
            let (lock, changed) = (&lock, &changed);
            scope.spawn(move || {
                let value = lock.lock().unwrap();
                let mut value = changed.wait_while(value, |value| *value != turn).unwrap();
                *value += 1;
                changed.notify_all();
            });
        }
    });
    assert_eq!(lock.into_inner().unwrap(), 10);
}

fn condition_with_timeout() {
    let (lock, never) = (Mutex::new(()), Condvar::new());
    let start = Instant::now();
    let guard = lock.lock().unwrap();
    let (_guard, waited) = never.wait_timeout(guard, Duration::from_millis(5)).unwrap();
    assert!(waited.timed_out());
    assert!(start.elapsed() >= Duration::from_millis(5));
}

fn barrier() {
    let gate = Barrier::new(5);
    let arrived = AtomicUsize::new(0);
    let leaders = thread::scope(|scope| {
        let threads: Vec<_> = (0..5)
            .map(|_| {
                scope.spawn(|| {
                    arrived.fetch_add(1, Ordering::Relaxed);
                    let leads = gate.wait().is_leader();
                    assert_eq!(arrived.load(Ordering::Relaxed), 5);
                    usize::from(leads)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<usize>()
    });
    assert_eq!(leaders, 1);
}

fn once() {
    static ONCE: Once = Once::new();
    static CELL: OnceLock<usize> = OnceLock::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                ONCE.call_once(|| {
                    thread::yield_now();
                    CALLS.fetch_add(1, Ordering::Relaxed);
                });
                let value = CELL.get_or_init(|| {
                    thread::yield_now();
                    CALLS.fetch_add(1, Ordering::Relaxed)
                });
                assert_eq!(*value, 1);
            });
        }
    });
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
}

fn channel() {
    let (sender, receiver) = mpsc::channel();
    let threads = [0, 1, 2, 3].map(|own| {
        let sender = sender.clone();
        thread::spawn(move || {
            for number in 0..250_u64 {
                sender.send(own * 250 + number).unwrap();
                if number % 7 == own {
                    thread::yield_now();
                }
            }
        })
    });
    drop(sender);
    assert_eq!(receiver.iter().sum::<u64>(), 999 * 500);
    for thread in threads {
        thread.join().unwrap();
    }
}

fn rendezvous() {
    let (to, from) = mpsc::sync_channel(0);
    let (back, answers) = mpsc::sync_channel(0);
    let echo = thread::spawn(move || {
        for number in from {
            back.send(number + 1).unwrap();
        }
    });
    for number in 0..100 {
        to.send(number).unwrap();
        assert_eq!(answers.recv().unwrap(), number + 1);
    }
    drop(to);
    echo.join().unwrap();
}

fn channel_with_timeout() {
    let (sender, receiver) = mpsc::channel::<()>();
    let start = Instant::now();
    let waited = receiver.recv_timeout(Duration::from_millis(5));
    assert_eq!(waited, Err(RecvTimeoutError::Timeout));
    assert!(start.elapsed() >= Duration::from_millis(5));
    drop(sender);
}

fn thread_locals() {
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    struct Counted(usize);
    impl Drop for Counted {
        fn drop(&mut self) {
            ENDED.fetch_add(self.0, Ordering::Relaxed);
        }
    }
    thread_local!(static OWN: RefCell<Counted> = const { RefCell::new(Counted(0)) });
    OWN.with(|own| own.borrow_mut().0 = 1_000);
    thread::scope(|scope| {
        for value in 1..=3 {
            scope.spawn(move || {
                OWN.with(|own| {
                    own.borrow_mut().0 = value;
                    thread::yield_now();
                    assert_eq!(own.borrow().0, value);
                });
            });
        }
    });
    // The end of a scope is that of its threads' closures, not of their variables.
    while ENDED.load(Ordering::Relaxed) < 6 {
        thread::yield_now();
    }
    assert_eq!(OWN.with(|own| own.borrow().0), 1_000);
    assert_eq!(ENDED.load(Ordering::Relaxed), 6);
}

/// Threads and tasks run by turns.
fn tasks() {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || receiver.iter().collect::<Vec<u32>>());
    mkernel::run(async move {
        let task = mkernel::spawn(async move {
            for number in 0..3 {
                mkernel::sleep(Duration::from_millis(1)).await;
                sender.send(number).unwrap();
            }
        });
        task.await.unwrap();
    });
    assert_eq!(thread.join().unwrap(), [0, 1, 2]);
}

/// A thread that there is no memory for is an error.
fn no_memory() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let mut threads = Vec::new();
    let error = loop {
        let gate = gate.clone();
        let thread = thread::Builder::new().stack_size(16 << 20).spawn(move || {
            let (open, changed) = &*gate;
            drop(changed.wait_while(open.lock().unwrap(), |open| !*open));
        });
        match thread {
            Ok(thread) => threads.push(thread),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert!(threads.len() > 2, "{} threads", threads.len());
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    for thread in threads {
        thread.join().unwrap();
    }
    thread::spawn(|| ()).join().unwrap();
}
