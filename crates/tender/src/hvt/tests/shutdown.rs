//! A guest, which is played here, that asks to be told when it is to end.

use std::os::fd::AsRawFd;

use solo5_abi::hvt::{Hypercall, Poll, PollSet};
use solo5_abi::manifest::{
    Entry, Header, Manifest, TENDER_FLUSH, TENDER_POLL_SET, TENDER_SHUTDOWN, TenderProperties,
};

use super::super::hypercall::Hypercalls;
use super::super::memory::GuestMemory;
use crate::attach::Devices;
use crate::options::{Command, parse};
use crate::shutdown::Shutdown;

const MEM_SIZE: u64 = 0x20_0000;
const ARGUMENT: u64 = 0x11_0000;

/// The devices of a manifest without any whose first entry asks for `wanted`.
fn devices(wanted: u16, options: &str) -> Devices {
    let asks = TenderProperties {
        wanted,
        // What a file says of the tender counts for nothing.
        granted: u16::MAX,
        ..Default::default()
    };
    let mut manifest = Header::new(1).to_bytes().to_vec();
    manifest.extend(Entry::first(asks).to_bytes());
    let line = format!("{options} kernel");
    let Ok(Command::Run(options)) = parse(line.split_whitespace().map(Into::into)) else {
        panic!("{line}")
    };
    Devices::attach(&Manifest::parse(&manifest).unwrap(), &options).unwrap()
}

#[test]
fn it_is_granted_to_who_asks_for_it_and_has_some_time() {
    for (wanted, options, seconds) in [
        (0, "", None),
        (TENDER_SHUTDOWN, "", Some(10)),
        (!TENDER_FLUSH, "--shutdown-timeout=3", Some(3)),
        (TENDER_SHUTDOWN, "--shutdown-timeout=0", None),
        (TENDER_POLL_SET, "", None),
    ] {
        let devices = devices(wanted, options);
        assert_eq!(devices.shutdown, seconds, "{wanted:#x} {options}");
        let granted = seconds.map_or(TENDER_POLL_SET, |_| TENDER_POLL_SET | TENDER_SHUTDOWN);
        // The union of the first entry, behind header, name and type.
        let at = Header::SIZE + 72 + 8;
        let fields = [0, granted].map(u16::to_le_bytes).concat();
        assert_eq!(
            devices.manifest(0)[at..at + 4],
            fields,
            "{wanted:#x} {options}"
        );
    }
}

#[test]
fn a_poll_that_wants_the_end_is_told_and_no_other() {
    let devices = devices(TENDER_SHUTDOWN, "");
    let memory = GuestMemory::new(MEM_SIZE, MEM_SIZE).unwrap();
    let shutdown = Shutdown::new(1).unwrap();
    let mut hypercalls = Hypercalls::new(&memory, &devices, Some(&shutdown));
    let mut poll = |wanted: Option<u64>| {
        let (call, argument) = match wanted {
            Some(wanted_set) => {
                let poll = PollSet {
                    wanted_set,
                    ..Default::default()
                };
                (Hypercall::PollSet, poll.to_bytes().to_vec())
            }
            None => (Hypercall::Poll, Poll::default().to_bytes().to_vec()),
        };
        memory.write(ARGUMENT, &argument);
        let served = hypercalls.serve(call.port(), &(ARGUMENT as u32).to_le_bytes());
        served.unwrap();
        let mut answer = [0; PollSet::SIZE];
        memory
            .slice(ARGUMENT, PollSet::SIZE as u64)
            .unwrap()
            .copy_to(&mut answer);
        match wanted {
            Some(_) => PollSet::from_bytes(&answer).ready_set,
            None => Poll::from_bytes(answer.first_chunk().unwrap()).ready_set,
        }
    };
    for wanted in [Some(0), Some(1), Some(u64::MAX), None] {
        assert_eq!(poll(wanted), 0, "{wanted:?}");
    }
    let one = 1_u64.to_ne_bytes();
    // SAFETY: the pointer and the length are those of a live array.
    let written = unsafe { libc::write(shutdown.told.as_raw_fd(), one.as_ptr().cast(), 8) };
    assert_eq!(written, 8);
    for (wanted, ready) in [
        (Some(0), 0),
        (Some(1), 1),
        (Some(u64::MAX), 1),
        (Some(!1), 0),
        (None, 0),
    ] {
        assert_eq!(poll(wanted), ready, "{wanted:?}");
    }
}
