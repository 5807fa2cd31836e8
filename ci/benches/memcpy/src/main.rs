//! nolibc's memcpy and memset, with and without the processor's string instructions, beside glibc's
//! (`ci/bench memcpy`): bytes copied or filled for each nanosecond, the best of some repetitions,
//! which is what other load on the machine disturbs least.
//!
//! `memcpy-bench [--json FILE]`

use nolibc::memory;
use std::ffi::c_void;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;
use std::{env, fs};

type Copy = unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> *mut c_void;
type Fill = unsafe extern "C" fn(*mut c_void, i32, usize) -> *mut c_void;

const SIZES: [usize; 13] = [
    8, 24, 48, 100, 256, 512, 1_024, 1_514, 2_048, 4_096, 16_384, 262_144, 4_194_304,
];
const REPETITIONS: usize = 30;

/// Bytes for each nanosecond.
fn rate(size: usize, call: impl Fn()) -> f64 {
    let calls = (2_000_000 / size).max(4);
    let best = (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(|_| call());
            start.elapsed()
        })
        .min()
        .expect("some repetitions");
    (size * calls) as f64 / best.as_nanos() as f64
}

fn copy_rate(copy: Copy, size: usize) -> f64 {
    let from = vec![1_u8; size + 64];
    let to = vec![0_u8; size + 64];
    // SAFETY: both have the size, and nothing else uses them; neither is aligned.
    rate(size, || unsafe {
        let (to, from) = (to.as_ptr().add(5).cast_mut(), from.as_ptr().add(3));
        black_box(copy(black_box(to.cast()), from.cast(), black_box(size)));
    })
}

fn fill_rate(fill: Fill, size: usize) -> f64 {
    let to = vec![0_u8; size + 64];
    // SAFETY: it has the size, and nothing else uses it.
    rate(size, || unsafe {
        let to = to.as_ptr().add(5).cast_mut();
        black_box(fill(black_box(to.cast()), 7, black_box(size)));
    })
}

fn main() {
    let mut rows = Vec::new();
    let mut report = |case: &str, subject: &str, rate: f64| {
        println!("{case:16} {subject:24} {rate:8.2} bytes/ns");
        rows.push(format!(
            r#"{{"case":"{case}","subject":"{subject}","metric":"rate","unit":"bytes/ns","median":{rate},"min":{rate},"max":{rate},"n":{REPETITIONS}}}"#
        ));
    };
    let mut measure = |subject: &str, copy: Copy, fill: Fill| {
        for size in SIZES {
            report(&format!("memcpy {size}"), subject, copy_rate(copy, size));
            report(&format!("memset {size}"), subject, fill_rate(fill, size));
        }
    };
    measure("glibc", libc::memcpy, libc::memset);
    measure("nolibc, SSE2", memory::memcpy, memory::memset);
    memory::detect_processor();
    measure("nolibc, rep from 2048", memory::memcpy, memory::memset);
    if let [_, option, file] = &env::args().collect::<Vec<_>>()[..]
        && option == "--json"
    {
        let file = Path::new(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder can be made");
        fs::write(file, format!("[\n{}\n]\n", rows.join(",\n"))).expect("the file can be written");
    }
}
