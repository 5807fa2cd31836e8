use std::fs::File;
use std::io::{Read, pipe};
use std::os::fd::{AsFd, OwnedFd};

use super::*;

/// A text of numbered lines, in memory as a guest's is.
fn lines(numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers
        .flat_map(|number| format!("line {number:06}\n").into_bytes())
        .collect()
}

fn put(console: &mut Console<'_>, mut text: Vec<u8>) {
    // SAFETY: the slice is the whole of a live vector, which nothing else touches meanwhile.
    let slice = unsafe { VolatileSlice::new(text.as_mut_ptr(), text.len()) };
    console.put(&slice);
}

fn nonblocking(fd: impl Into<OwnedFd>) -> OwnedFd {
    let fd = fd.into();
    // SAFETY: F_SETFL touches no memory.
    let set = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(set, 0);
    fd
}

#[test]
fn what_a_full_pipe_does_not_take_is_kept_then_lost_and_counted() {
    let (reader, writer) = pipe().unwrap();
    let writer = nonblocking(writer);
    let mut reader = File::from(nonblocking(reader));
    let mut console = Console::new(writer.as_fd());
    for first in 0..1000 {
        put(&mut console, lines(20 * first..20 * first + 20));
    }
    assert_eq!(console.waits_for(), Some(writer.as_raw_fd()));
    let mut printed = Vec::new();
    for _ in 0..100 {
        // Ends with EAGAIN.
        let _ = reader.read_to_end(&mut printed);
        console.flush();
    }
    put(&mut console, b"back\n".to_vec());
    let _ = reader.read_to_end(&mut printed);
    let printed = String::from_utf8(printed).unwrap();
    let kept = printed
        .lines()
        .take_while(|line| line.starts_with("line "))
        .count();
    assert!(kept * 12 >= CAPACITY, "{kept} lines");
    let lost = format!(
        "solo5-hvt: console: {} lines ({} octets) were lost here",
        20_000 - kept,
        (20_000 - kept) * 12
    );
    assert_eq!(
        printed.lines().skip(kept).collect::<Vec<_>>(),
        [lost.as_str(), "back"]
    );
}

#[test]
fn a_full_disk_loses_lines_and_nothing_else() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut console = Console::new(full.as_fd());
    put(&mut console, lines(0..5));
    put(&mut console, lines(5..7));
    // What was taken before ended within a line.
    console.mid_line = true;
    assert_eq!((console.lost_lines, console.lost_octets), (7, 7 * 12));
    assert_eq!(console.waits_for(), None);
    let (mut reader, writer) = pipe().unwrap();
    console.output = writer.as_fd();
    // It was refused just now, and so is not tried again yet.
    put(&mut console, lines(7..8));
    assert_eq!(console.lost_lines, 8);
    console.refused = None;
    put(&mut console, b"room again\n".to_vec());
    drop(console);
    drop(writer);
    let mut printed = String::new();
    reader.read_to_string(&mut printed).unwrap();
    assert_eq!(
        printed,
        "\nsolo5-hvt: console: 8 lines (96 octets) were lost here\nroom again\n"
    );
}

#[test]
fn a_reader_that_has_gone_is_no_end() {
    let (reader, writer) = pipe().unwrap();
    let writer = nonblocking(writer);
    drop(reader);
    // The test's process ignores SIGPIPE, as the tender does.
    let mut console = Console::new(writer.as_fd());
    put(&mut console, lines(0..3));
    console.finish();
    assert_eq!((console.lost_lines, console.waits_for()), (3, None));
}
