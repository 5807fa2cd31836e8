//! How soon a task answers while others compute.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::{Measures, Subject};

/// For how long a child measures.
const DURATION: Duration = Duration::from_millis(1_500);
/// What a task computes between two yields.
const COMPUTE: Duration = Duration::from_micros(5);

/// How many turns of [`compute`] take 5 µs on this machine, when it is not
/// disturbed.
pub fn calibrate() -> u64 {
    const LOOPS: u64 = 1_000_000;
    let fastest = (0..20)
        .map(|_| {
            let start = Instant::now();
            compute(LOOPS);
            start.elapsed()
        })
        .min()
        .expect("there are several");
    (LOOPS as f64 * COMPUTE.as_nanos() as f64 / fastest.as_nanos() as f64) as u64
}

fn compute(loops: u64) {
    let mut value = 1_u64;
    for _ in 0..loops {
        value = std::hint::black_box(value.wrapping_mul(6364136223846793005).wrapping_add(1));
    }
}

/// `busy` tasks compute and yield, and one echoes what a client on another CPU
/// writes to a socket, now and then, until it has its answer.
pub fn measure<S: Subject>(busy: usize, compute_loops: u64) -> Measures {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let computed = Rc::new(Cell::new(0_u64));
    let elapsed = Rc::new(Cell::new(Duration::ZERO));
    let client = std::thread::spawn(move || client(theirs));
    pin(0);
    S::run({
        let (computed, elapsed) = (computed.clone(), elapsed.clone());
        async move {
            let start = Instant::now();
            let stop = Rc::new(Cell::new(false));
            for _ in 0..busy {
                let (computed, stop) = (computed.clone(), stop.clone());
                std::mem::forget(S::spawn(async move {
                    while !stop.get() {
                        compute(compute_loops);
                        computed.set(computed.get() + 1);
                        S::yield_now().await;
                    }
                }));
            }
            let mut stream = S::stream(ours).expect("a socket");
            let mut byte = [0];
            // The client hangs up at the end.
            while let Ok(1) = S::read(&mut stream, &mut byte).await {
                S::write(&mut stream, &byte)
                    .await
                    .expect("the client reads");
            }
            stop.set(true);
            elapsed.set(start.elapsed());
        }
    });
    let mut latencies = client.join().expect("the client ends");
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = ((latencies.len() - 1) as f64 * share).round() as usize;
        latencies[index].as_nanos() as f64 / 1e3
    };
    vec![
        ("p50_us", "us", at(0.5)),
        ("p99_us", "us", at(0.99)),
        ("max_us", "us", at(1.0)),
        (
            "compute_per_s",
            "1/s",
            computed.get() as f64 / elapsed.get().as_secs_f64(),
        ),
    ]
}

/// Writes a byte and waits for it to come back, at times that follow no rhythm.
///
/// It polls for the answer: to be woken across CPUs takes it about 40 µs here,
/// whoever answers, which would hide what is measured.
fn client(mut stream: UnixStream) -> Vec<Duration> {
    pin(1);
    stream
        .set_nonblocking(true)
        .expect("a socket can be polled");
    let begun = Instant::now();
    let mut latencies = Vec::new();
    let mut random = 1_u64;
    std::thread::sleep(Duration::from_millis(100));
    while begun.elapsed() < DURATION {
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        std::thread::sleep(Duration::from_micros(100 + (random >> 33) % 400));
        let start = Instant::now();
        stream.write_all(&[1]).expect("the other side reads");
        while let Err(error) = stream.read_exact(&mut [0]) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        }
        latencies.push(start.elapsed());
    }
    latencies
}

/// Keeps this thread on one CPU, if there is one of that number.
fn pin(cpu: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    // Without it the figures are noisier, not wrong.
    let _ = rustix::thread::sched_setaffinity(None, &set);
}
