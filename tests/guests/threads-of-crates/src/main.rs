//! Popular crates that make threads, unmodified, in a unikernel: each case says that it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mkernel as _;
use rayon::prelude::*;

const CASES: &[(&str, fn())] = &[
    ("rayon", rayon_in_its_pools),
    ("crossbeam_channel", crossbeam_channel),
    ("crossbeam_scope", crossbeam_scope),
    ("crossbeam_deque", crossbeam_deque),
    ("parking_lot", parking_lot_locks),
    ("parking_lot_fair", parking_lot_fair),
    ("tokio_multi_thread", tokio_multi_thread),
    ("tokio_blocking", tokio_blocking),
    ("tokio_current_thread", tokio_current_thread),
];

fn main() {
    for (name, run) in CASES {
        run();
        println!("ok: {name}");
    }
    println!("SUCCESS");
}

/// The global pool, which has one thread here, and one of four.
fn rayon_in_its_pools() {
    assert_eq!(rayon::current_num_threads(), 1);
    let sum = || {
        (0..10_000_u64)
            .into_par_iter()
            .map(|number| number * 2)
            .sum::<u64>()
    };
    assert_eq!(sum(), 99_990_000);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(4)
        .build()
        .unwrap();
    assert_eq!(pool.install(sum), 99_990_000);
    let mut numbers: Vec<u32> = (0..5_000).rev().collect();
    pool.install(|| numbers.par_sort_unstable());
    assert!(numbers.is_sorted());
    let (left, right) = pool.install(|| rayon::join(|| 1, || 2));
    assert_eq!((left, right), (1, 2));
}

fn crossbeam_channel() {
    use crossbeam::channel::{RecvTimeoutError, bounded, select, unbounded};

    let (to, from) = bounded(2);
    let (done, all_done) = unbounded();
    let workers = [0, 1, 2].map(|_| {
        let (from, done) = (from.clone(), done.clone());
        thread::spawn(move || {
            from.iter()
                .for_each(|number: u32| done.send(number).unwrap())
        })
    });
    drop(done);
    for number in 0..100 {
        to.send(number).unwrap();
    }
    drop(to);
    assert_eq!(all_done.iter().sum::<u32>(), 4_950);
    for worker in workers {
        worker.join().unwrap();
    }
    let (sender, receiver) = unbounded::<u32>();
    let waited = receiver.recv_timeout(Duration::from_millis(2));
    assert_eq!(waited, Err(RecvTimeoutError::Timeout));
    thread::spawn(move || sender.send(7));
    select! {
        recv(receiver) -> number => assert_eq!(number, Ok(7)),
        default(Duration::from_secs(60)) => panic!("nothing was sent"),
    }
}

fn crossbeam_scope() {
    let mut numbers = [1, 2, 3, 4];
    crossbeam::scope(|scope| {
        for number in &mut numbers {
            scope.spawn(move |_| *number *= 10);
        }
    })
    .unwrap();
    assert_eq!(numbers, [10, 20, 30, 40]);
}

/// Threads that take work from each other.
fn crossbeam_deque() {
    use crossbeam::deque::{Injector, Steal};

    let (work, done) = (Injector::new(), AtomicUsize::new(0));
    (1..=100_usize).for_each(|number| work.push(number));
    crossbeam::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|_| {
                while let Steal::Success(number) = work.steal() {
                    done.fetch_add(number, Ordering::Relaxed);
                    thread::yield_now();
                }
            });
        }
    })
    .unwrap();
    assert_eq!(done.into_inner(), 5_050);
}

fn parking_lot_locks() {
    use parking_lot::{Condvar, Mutex, RwLock};

    let shared = Arc::new((Mutex::new(0), Condvar::new(), RwLock::new(0)));
    let threads = [0, 1, 2, 3].map(|own| {
        let shared = shared.clone();
        thread::spawn(move || {
            let (turn, changed, total) = &*shared;
            let mut turn = turn.lock();
            changed.wait_while(&mut turn, |turn| *turn != own);
            *turn += 1;
            changed.notify_all();
            drop(turn);
            for _ in 0..50 {
                let mut total = total.write();
                thread::yield_now();
                *total += 1;
                drop(total);
                thread::yield_now();
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*shared.2.read(), 200);
    let start = Instant::now();
    let mut turn = shared.0.lock();
    let waited = shared.1.wait_for(&mut turn, Duration::from_millis(2));
    assert!(waited.timed_out());
    assert!(start.elapsed() >= Duration::from_millis(2));
}

fn parking_lot_fair() {
    let lock = Arc::new(parking_lot::FairMutex::new(Vec::new()));
    let threads = [0, 1, 2].map(|own| {
        let lock = lock.clone();
        thread::spawn(move || {
            for _ in 0..20 {
                let mut order = lock.lock();
                thread::yield_now();
                order.push(own);
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(lock.lock().len(), 60);
}

fn tokio_multi_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(3)
        .enable_time()
        .build()
        .unwrap();
    let sum = runtime.block_on(async {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
        let tasks: Vec<_> = (0..20_u64)
            .map(|number| {
                let sender = sender.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(number % 3)).await;
                    tokio::task::yield_now().await;
                    sender.send(number).await.unwrap();
                    number
                })
            })
            .collect();
        drop(sender);
        let mut received = 0;
        while let Some(number) = receiver.recv().await {
            received += number;
        }
        let mut returned = 0;
        for task in tasks {
            returned += task.await.unwrap();
        }
        assert_eq!(received, returned);
        let late = tokio::time::timeout(Duration::from_millis(2), std::future::pending::<()>());
        assert!(late.await.is_err());
        received
    });
    assert_eq!(sum, 190);
    runtime.shutdown_timeout(Duration::from_secs(60));
}

/// `spawn_blocking` has threads of its own, which sleep at the same time.
fn tokio_blocking() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let (running, most) = (running.clone(), most.clone());
                tokio::task::spawn_blocking(move || {
                    most.fetch_max(
                        running.fetch_add(1, Ordering::Relaxed) + 1,
                        Ordering::Relaxed,
                    );
                    thread::sleep(Duration::from_millis(20));
                    running.fetch_sub(1, Ordering::Relaxed);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        tokio::task::spawn(async {
            tokio::task::block_in_place(|| thread::sleep(Duration::from_millis(1)))
        })
        .await
        .unwrap();
    });
    assert_eq!(most.load(Ordering::Relaxed), 5);
}

fn tokio_current_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let other = thread::spawn(move || {
        thread::sleep(Duration::from_millis(1));
        sender.send(5).unwrap();
    });
    assert_eq!(runtime.block_on(receiver), Ok(5));
    other.join().unwrap();
}
