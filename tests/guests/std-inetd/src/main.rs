//! Echo (RFC 862), discard (RFC 863), chargen (RFC 864) and daytime (RFC 867) on the ports of the example `inetd`, with a
//! thread for each connection or with tokio. In place of the time, daytime tells of what was served and what was refused.
//!
//! `std-inetd threads|tokio SECONDS [DESCRIPTORS]`: connections that do nothing for so many seconds are closed, none for
//! zero; so many descriptors are left.

mod tasks;
mod threads;

use std::fs::File;
use std::io;
use std::net::UdpSocket;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mkernel as _;

const ECHO: u16 = 3000;
const DISCARD: u16 = 3009;
const DAYTIME: u16 = 3013;
const CHARGEN: u16 = 3019;

/// Connections that were served, or are, and errors of `accept` and of threads.
struct Counts {
    served: AtomicUsize,
    not_accepted: AtomicUsize,
    not_spawned: AtomicUsize,
}

static COUNTS: Counts = Counts {
    served: AtomicUsize::new(0),
    not_accepted: AtomicUsize::new(0),
    not_spawned: AtomicUsize::new(0),
};

impl Counts {
    /// As one line.
    fn told(&self) -> String {
        let [served, accepted, spawned] = [&self.served, &self.not_accepted, &self.not_spawned]
            .map(|count| count.load(Ordering::Relaxed));
        format!("{served} served, {accepted} not accepted, {spawned} without a thread\r\n")
    }
}

/// Counts one more, and tells of the first.
fn count(count: &AtomicUsize, error: &io::Error) {
    if count.fetch_add(1, Ordering::Relaxed) == 0 {
        println!("the first of them: {error} ({:?})", error.kind());
    }
}

/// The lines of chargen that begin with each of the characters, so that they can follow themselves.
fn characters() -> Vec<u8> {
    let line = |first: usize| {
        let characters = (b' '..=b'~').cycle().skip(first).take(72);
        characters.chain(*b"\r\n")
    };
    (0..95).flat_map(line).collect()
}

/// Takes all descriptors but so many.
fn leave(descriptors: usize) -> io::Result<Vec<File>> {
    let mut taken = vec![File::open("/dev/null")?];
    while let Ok(another) = taken[0].try_clone() {
        taken.push(another);
    }
    taken.truncate(taken.len().saturating_sub(descriptors).max(1));
    Ok(taken)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).map(|word| word.parse::<usize>());
    let (way, idle, descriptors) = match (arguments.first(), number(1), number(2)) {
        (Some(way), Some(Ok(seconds)), None) => (way, seconds, None),
        (Some(way), Some(Ok(seconds)), Some(Ok(left))) => (way, seconds, Some(left)),
        _ => {
            eprintln!("expected threads or tokio, seconds, and descriptors, and not {arguments:?}");
            return ExitCode::from(2);
        }
    };
    let idle = (idle > 0).then(|| Duration::from_secs(idle as u64));
    let served = serve(way, idle, descriptors);
    eprintln!("ended: {served:?}");
    ExitCode::FAILURE
}

fn serve(way: &str, idle: Option<Duration>, descriptors: Option<usize>) -> io::Result<()> {
    // Nobody ever reads it.
    let _silent = UdpSocket::bind(("::", DISCARD))?;
    match way {
        "threads" => threads::serve(idle, descriptors),
        "tokio" => tasks::serve(idle, descriptors),
        other => Err(io::Error::other(format!(
            "expected threads or tokio, and not {other:?}"
        ))),
    }
}
