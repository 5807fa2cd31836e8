//! Schedulers, allocators and signals.

use std::alloc::{GlobalAlloc as _, Layout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rayon::prelude::*;

fn main() -> ExitCode {
    rows::run(&[
        ("tokio", tokio),
        ("rayon", rayon),
        ("mimalloc", mimalloc),
        ("ctrlc", ctrlc),
        ("async-io", async_io),
    ])
}

/// The current-thread runtime with `time` and `sync`.
fn tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let start = Instant::now();
    let duration = Duration::from_millis(20);
    let sum: u32 = runtime.block_on(async {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        for number in 1..=10 {
            let sender = sender.clone();
            tokio::spawn(async move {
                tokio::time::sleep(duration).await;
                sender.send(number).await.unwrap();
            });
        }
        drop(sender);
        let mut sum = 0;
        while let Some(number) = receiver.recv().await {
            sum += number;
        }
        let never = std::future::pending::<()>();
        assert!(tokio::time::timeout(duration, never).await.is_err());
        sum
    });
    assert_eq!(sum, 55);
    assert!(start.elapsed() >= 2 * duration);
}

/// On the thread that there is: its own pool wants threads.
fn rayon() {
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build_global()
        .unwrap();
    let sum: u64 = (1..=100_000_u64)
        .into_par_iter()
        .map(|number| number * 2)
        .sum();
    assert_eq!(sum, 10_000_100_000);
    let mut numbers: Vec<u32> = (0..10_000).map(|number| number * 7_919 % 10_007).collect();
    numbers.par_sort_unstable();
    assert!(numbers.is_sorted());
    assert_eq!(rayon::join(|| 1, || 2), (1, 2));
}

/// Blocks of many sizes, each filled, grown and checked.
fn mimalloc() {
    let allocator = mimalloc::MiMalloc;
    let mut blocks = Vec::new();
    for number in 0..2_000_usize {
        let size = 1 + number * number % 70_000;
        let layout = Layout::from_size_align(size, 1 << (number % 8)).unwrap();
        let larger = Layout::from_size_align(size + 100, layout.align()).unwrap();
        // SAFETY: the block is of the layout's size, and is used as the one it has become.
        unsafe {
            let block = allocator.alloc(layout);
            assert!(!block.is_null() && block.addr().is_multiple_of(layout.align()));
            block.write_bytes(number as u8, size);
            let block = allocator.realloc(block, layout, larger.size());
            assert!(!block.is_null());
            block.add(size).write_bytes(number as u8, 100);
            blocks.push((block, larger, number as u8));
        }
    }
    for (block, layout, number) in blocks {
        // SAFETY: the block has this layout, was filled, and is freed once.
        unsafe {
            let bytes = std::slice::from_raw_parts(block, layout.size());
            assert!(bytes.iter().all(|&byte| byte == number));
            allocator.dealloc(block, layout);
        }
    }
}

/// It links, and gives an error: its handler wants a thread, and nobody would interrupt a unikernel.
fn ctrlc() {
    ctrlc::set_handler(|| ()).unwrap();
}

/// It links, and panics when the first timer wants its thread.
fn async_io() {
    async_io::block_on(async { async_io::Timer::after(Duration::from_millis(1)).await });
}
