//! The ways in which a program ends.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Mutex;

/// Prints each argument in a line of its own.
pub(crate) fn arguments(rest: &[String]) -> ExitCode {
    println!("{}", std::env::args().next().expect("argv[0]"));
    for argument in rest {
        println!("{argument:?}");
    }
    ExitCode::SUCCESS
}

fn status(rest: &[String]) -> u8 {
    rest.first()
        .and_then(|word| word.parse().ok())
        .expect("a status")
}

/// Returns from `main`.
pub(crate) fn return_status(rest: &[String]) -> ExitCode {
    ExitCode::from(status(rest))
}

/// What is printed without a line feed comes out nevertheless.
pub(crate) fn exit_status(rest: &[String]) -> ExitCode {
    print!("exit");
    std::process::exit(status(rest).into())
}

pub(crate) fn abort(_: &[String]) -> ExitCode {
    std::process::abort()
}

pub(crate) fn panic(rest: &[String]) -> ExitCode {
    panic!("on purpose: {rest:?}")
}

/// Recurses without end, with frames larger than a page.
pub(crate) fn stack_overflow(_: &[String]) -> ExitCode {
    fn frame(depth: u64) -> u64 {
        let mut bytes = [0_u8; 5_000];
        bytes[black_box(depth as usize) % 5_000] = 1;
        if black_box(depth) == u64::MAX {
            return 0;
        }
        frame(depth + 1) + u64::from(black_box(&bytes)[7])
    }
    // Zeros on the heap, which lies above the stack's other end, must not be what is overwritten.
    let heap = vec![0_u8; 1 << 20];
    println!("recursing");
    let result = frame(0);
    println!("not reached: {result} {}", black_box(heap).len());
    ExitCode::SUCCESS
}

pub(crate) fn out_of_memory(_: &[String]) -> ExitCode {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(vec![1_u8; 10_000_000]));
    }
}

pub(crate) fn deadlock(_: &[String]) -> ExitCode {
    let lock = Mutex::new(0);
    let _first = lock.lock();
    let _second = lock.lock();
    ExitCode::SUCCESS
}
