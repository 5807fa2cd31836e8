//! Allocators for nolibc's malloc, compared: `alloc-bench SUBJECT CASE` runs one case once (under
//! callgrind, say), and `alloc-bench` all of them, with a row of JSON for each figure: the time, and
//! the least memory in which the case succeeds as a multiple of what it holds at its peak.

mod cases;
mod subjects;

use std::time::Instant;
use subjects::Subject;

/// As much as a unikernel has unless told otherwise.
const MEMORY: usize = 512 << 20;
const REPETITIONS: usize = 9;
const CASES: [&str; 5] = ["small", "mixed", "frames", "grow", "large"];

/// Fresh zeroed memory, as a unikernel's.
fn memory() -> *mut u8 {
    let (protection, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
    );
    // SAFETY: a new mapping, wherever there is room.
    let memory = unsafe { libc::mmap(std::ptr::null_mut(), MEMORY, protection, flags, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED, "no memory");
    memory.cast()
}

/// The bytes live at the peak, or `None` if `size` bytes of memory do not do.
fn run<S: Subject>(case: &str, memory: *mut u8, size: usize) -> Option<usize> {
    let mut subject = S::new(memory, size);
    match case {
        "small" => cases::small(&mut subject),
        "mixed" => cases::mixed(&mut subject),
        "frames" => cases::frames(&mut subject),
        "grow" => cases::grow(&mut subject),
        "large" => cases::large(&mut subject),
        _ => panic!("expected one of {CASES:?}, not {case:?}"),
    }
}

fn row(case: &str, subject: &str, metric: &str, unit: &str, mut figures: Vec<f64>) {
    figures.sort_by(f64::total_cmp);
    let (median, n) = (figures[figures.len() / 2], figures.len());
    println!(
        r#"{{"case":"{case}","subject":"{subject}","metric":"{metric}","unit":"{unit}","median":{median},"min":{},"max":{},"n":{n}}}"#,
        figures[0],
        figures[n - 1],
    );
}

fn measure<S: Subject>(case: &str, subject: &str, memory: *mut u8) {
    let peak = run::<S>(case, memory, MEMORY).expect("512 MiB do");
    let times = (0..REPETITIONS).map(|_| {
        let start = Instant::now();
        run::<S>(case, memory, MEMORY);
        start.elapsed().as_secs_f64() * 1e3
    });
    row(case, subject, "time", "ms", times.collect());
    if case != "large" {
        let (mut low, mut high) = (peak, MEMORY);
        while high - low > peak / 500 + 4096 {
            let middle = low + (high - low) / 2;
            if run::<S>(case, memory, middle).is_some() {
                high = middle;
            } else {
                low = middle;
            }
        }
        row(
            case,
            subject,
            "least memory",
            "of peak",
            vec![high as f64 / peak as f64],
        );
    }
}

fn dispatch<S: Subject>(subject: &str, arguments: &[String], memory: *mut u8) {
    match arguments {
        [] => CASES
            .iter()
            .for_each(|case| measure::<S>(case, subject, memory)),
        [chosen, case] if chosen == subject => {
            run::<S>(case, memory, MEMORY).expect("512 MiB do");
        }
        _ => {}
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let memory = memory();
    #[cfg(feature = "dlmalloc")]
    dispatch::<dlmalloc::Dlmalloc<subjects::Memory>>("dlmalloc", &arguments, memory);
    #[cfg(feature = "rlsf")]
    dispatch::<subjects::Rlsf>("rlsf", &arguments, memory);
    #[cfg(feature = "talc")]
    dispatch::<subjects::Talc>("talc", &arguments, memory);
}
