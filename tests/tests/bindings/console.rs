//! A console that does not take what it is given: the guest never waits for it.

use std::fs::{self, File};
use std::io::{PipeReader, Read, pipe};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use system_tests::{Target, host_program};

use crate::c_guest::{Linker, Program};

/// Octets of a line of `flood`, and how many there are.
const LINE: usize = 51;
const LINES: usize = 40_000;

fn flood(console: impl Into<Stdio>) -> Child {
    let guest = Program::new("cases.c").link(Target::Spt, Linker::Lld);
    Command::new(host_program("cargo-mkernel", "solo5-spt"))
        .arg("--mem=16")
        .arg(guest)
        .args(["--solo5:quiet", "flood"])
        .stdin(Stdio::null())
        .stdout(console)
        .spawn()
        .expect("the tender can be run")
}

/// Waits until the guest sleeps, having written all its lines: before, it fills the pipe or has none to fill.
fn until_asleep(child: &Child, pipe: &PipeReader) {
    let path = format!("/proc/{}/stat", child.id());
    for _ in 0..600 {
        let asleep = fs::read_to_string(&path).is_ok_and(|stat| stat.contains(") S "));
        if asleep && readable(pipe) > LINE * 1000 {
            return;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("the guest has not written its lines");
}

/// Octets in the pipe.
fn readable(pipe: &PipeReader) -> usize {
    let mut octets: libc::c_int = 0;
    // SAFETY: FIONREAD writes one `int`, which `octets` is.
    let result = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut octets) };
    assert_eq!(result, 0);
    octets as usize
}

#[test]
fn a_full_pipe_stops_nobody_and_what_was_lost_is_counted() {
    let (mut reader, writer) = pipe().unwrap();
    let mut child = flood(writer);
    until_asleep(&child, &reader);
    let mut printed = String::new();
    reader.read_to_string(&mut printed).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let lines: Vec<&str> = printed.lines().collect();
    let kept = lines
        .iter()
        .take_while(|line| line.starts_with("line "))
        .count();
    for (number, line) in lines[..kept].iter().enumerate() {
        assert_eq!(
            *line,
            format!("line {number:05} is as long as the others are, all fifty")
        );
    }
    let lost = LINES - kept;
    let report = format!(
        "Solo5: console: {lost} lines ({} octets) were lost here",
        lost * LINE
    );
    assert_eq!(lines[kept..], [report.as_str(), "SUCCESS"]);
}

#[test]
fn a_pipe_that_nobody_reads_any_more_and_a_full_disk_end_nobody() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    for console in [Stdio::from(writer), full.into()] {
        let status = flood(console).wait().unwrap();
        assert_eq!(status.code(), Some(0));
    }
}
