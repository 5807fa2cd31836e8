//! Allocators for nolibc's malloc, compared (`ci/bench alloc`): time, instructions (by callgrind, if
//! valgrind is there), the least memory in which a case succeeds, and code size.
//!
//! `alloc-bench [--json FILE]` measures; `alloc-bench SUBJECT CASE` runs one case once.

mod cases;
mod report;
mod subjects;

use report::Report;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use subjects::Subject;

/// As much as a unikernel has unless told otherwise.
const MEMORY: usize = 512 << 20;
const REPETITIONS: usize = 9;
const CASES: [&str; 5] = ["small", "mixed", "frames", "grow", "large"];
const SUBJECTS: [&str; 3] = ["dlmalloc", "rlsf", "talc"];

/// Fresh zeroed memory, as a unikernel's.
fn memory() -> *mut u8 {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
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

fn run_subject(subject: &str, case: &str, memory: *mut u8, size: usize) -> Option<usize> {
    match subject {
        #[cfg(feature = "dlmalloc")]
        "dlmalloc" => run::<dlmalloc::Dlmalloc<subjects::Memory>>(case, memory, size),
        #[cfg(feature = "rlsf")]
        "rlsf" => run::<subjects::Rlsf>(case, memory, size),
        #[cfg(feature = "talc")]
        "talc" => run::<subjects::Talc>(case, memory, size),
        _ => panic!("expected one of {SUBJECTS:?}, not {subject:?}"),
    }
}

/// The least memory in which a case succeeds, as a multiple of what it holds at its peak.
fn least_memory(subject: &str, case: &str, memory: *mut u8, peak: usize) -> f64 {
    let (mut low, mut high) = (peak, MEMORY);
    while high - low > peak / 500 + 4096 {
        let middle = low + (high - low) / 2;
        if run_subject(subject, case, memory, middle).is_some() {
            high = middle;
        } else {
            low = middle;
        }
    }
    high as f64 / peak as f64
}

/// How many instructions a case takes, start of the program included; `None` without valgrind.
fn instructions(subject: &str, case: &str) -> Option<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args([subject, case])
        .output()
        .ok()?;
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, count) = messages.split_once("Collected : ")?;
    count.split_whitespace().next()?.parse().ok()
}

/// The size of the text of this program when it has only the subject named, or none.
fn text_size(subject: &str) -> Option<f64> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = package.join("target/size");
    let built = Command::new("cargo")
        .args([
            "build",
            "-q",
            "--release",
            "--no-default-features",
            "--features",
            subject,
        ])
        .arg("--manifest-path")
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", "-Awarnings")
        .status()
        .ok()?;
    let program = target.join("release/alloc-bench");
    let size = Command::new("size").arg(program).output().ok()?;
    let table = String::from_utf8_lossy(&size.stdout).into_owned();
    let text = table.lines().nth(1)?.split_whitespace().next()?;
    if built.success() {
        text.parse().ok()
    } else {
        None
    }
}

fn measure(report: &mut Report) {
    let memory = memory();
    for case in CASES {
        for subject in SUBJECTS {
            let peak = run_subject(subject, case, memory, MEMORY).expect("512 MiB do");
            let times = (0..REPETITIONS).map(|_| {
                let start = Instant::now();
                run_subject(subject, case, memory, MEMORY);
                start.elapsed().as_secs_f64() * 1e3
            });
            report.add(case, subject, "time", "ms", times.collect());
            if case == "large" {
                continue;
            }
            let least = least_memory(subject, case, memory, peak);
            report.add(case, subject, "least memory", "of peak", vec![least]);
            let instructions = instructions(subject, case).map(|count| count / 1e6);
            report.add(
                case,
                subject,
                "instructions",
                "millions",
                instructions.into_iter().collect(),
            );
        }
    }
    for subject in SUBJECTS {
        let added = text_size(subject)
            .zip(text_size(""))
            .map(|(with, without)| with - without);
        report.add(
            "all, with the cases",
            subject,
            "text",
            "bytes",
            added.into_iter().collect(),
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut report = Report::default();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => measure(&mut report),
        ["--json", file] => {
            measure(&mut report);
            report
                .write(Path::new(file))
                .expect("the file can be written");
        }
        [subject, case] => {
            run_subject(subject, case, memory(), MEMORY).expect("512 MiB do");
        }
        _ => {
            eprintln!("usage: alloc-bench [--json FILE] | SUBJECT CASE");
            std::process::exit(2);
        }
    }
}
