//! A guest, which is played here, that flushes its disk and goes on.

use std::fs::{self, File};

use solo5_abi::api::SolResult;
use solo5_abi::hvt::{BlockFlush, BlockIo, Hypercall, PollSet};
use solo5_abi::manifest::{
    BLOCK_FLUSH, DeviceType, Entry, Header, Manifest, TENDER_FLUSH, TENDER_POLL_SET,
    TenderProperties,
};

use super::super::hypercall::Hypercalls;
use super::super::memory::GuestMemory;
use super::super::{Machine, flush};
use crate::attach::Devices;
use crate::options::{Command, parse};
use crate::polling::{add_count, read_count};

const MEM_SIZE: u64 = 0x20_0000;
const ARGUMENT: u64 = 0x11_0000;

const OK: i32 = SolResult::Ok as i32;
const AGAIN: i32 = SolResult::Again as i32;
const INVALID: i32 = SolResult::Einval as i32;
const UNSPECIFIED: i32 = SolResult::Eunspec as i32;
const SHRUNK: i32 = SolResult::Eshrunk as i32;

/// A machine with a disk, for which the guest asks these features of the tender and of the disk.
fn machine(name: &str, tender: u16, disk: u16) -> (&'static Machine, File) {
    let path = std::env::temp_dir().join(format!("tender-{}-{name}", std::process::id()));
    fs::write(&path, [7; 2048]).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let asks = TenderProperties {
        wanted: tender,
        ..Default::default()
    };
    let mut manifest = Header::new(2).to_bytes().to_vec();
    manifest.extend(Entry::first(asks).to_bytes());
    let entry = Entry::new("disk", DeviceType::BlockBasic).wanting(disk);
    manifest.extend(entry.to_bytes());
    let line = format!("--block:disk={} kernel", path.display());
    let Ok(Command::Run(options)) = parse(line.split_whitespace().map(Into::into)) else {
        panic!("{line}")
    };
    let devices = Devices::attach(&Manifest::parse(&manifest).unwrap(), &options).unwrap();
    fs::remove_file(path).unwrap();
    let memory = GuestMemory::new(MEM_SIZE, MEM_SIZE).unwrap();
    (Box::leak(Box::new(Machine { memory, devices })), file)
}

struct Guest {
    machine: &'static Machine,
    hypercalls: Hypercalls<'static>,
}

impl Guest {
    fn new(machine: &'static Machine) -> Self {
        Self {
            machine,
            hypercalls: Hypercalls::new(&machine.memory, &machine.devices, None),
        }
    }

    fn call<const N: usize>(&mut self, call: Hypercall, argument: [u8; N]) -> [u8; N] {
        self.machine.memory.write(ARGUMENT, &argument);
        let served = self
            .hypercalls
            .serve(call.port(), &(ARGUMENT as u32).to_le_bytes());
        served.unwrap();
        let mut answer = [0; N];
        let slice = self.machine.memory.slice(ARGUMENT, N as u64).unwrap();
        slice.copy_to(&mut answer);
        answer
    }

    fn flush(&mut self, call: Hypercall, handle: u64) -> i32 {
        let flush = BlockFlush { handle, ret: -1 };
        BlockFlush::from_bytes(&self.call(call, flush.to_bytes())).ret
    }

    fn begin(&mut self) -> i32 {
        self.flush(Hypercall::FlushBegin, 1)
    }

    fn end(&mut self) -> i32 {
        self.flush(Hypercall::FlushEnd, 1)
    }

    /// What a poll of that set says.
    fn poll(&mut self, wanted_set: u64, timeout_nsecs: u64) -> u64 {
        let poll = PollSet {
            wanted_set,
            timeout_nsecs,
            ..Default::default()
        };
        PollSet::from_bytes(&self.call(Hypercall::PollSet, poll.to_bytes())).ready_set
    }
}

#[test]
fn it_is_granted_to_who_asks_for_it() {
    for (tender, disk, granted, background) in [
        (0, BLOCK_FLUSH, 0, false),
        (TENDER_FLUSH, 0, TENDER_FLUSH, false),
        (TENDER_FLUSH, BLOCK_FLUSH, TENDER_FLUSH, true),
    ] {
        let (machine, _) = machine("granted", tender, disk);
        let manifest = machine.devices.manifest(0);
        let manifest = Manifest::parse_attached(&manifest).unwrap();
        let first = manifest.entry(0).unwrap().to_bytes();
        assert_eq!(first[82..84], (granted | TENDER_POLL_SET).to_le_bytes());
        let disk = manifest.entry(1).unwrap();
        assert_eq!(disk.flush_fds() != [0, 0], background);
        assert_eq!(machine.devices.block[0].background.is_some(), background);
        let mut guest = Guest::new(machine);
        assert_eq!(guest.begin(), if background { OK } else { INVALID });
    }
}

/// The thread is played here, too.
#[test]
fn one_flush_is_under_way_until_its_end_is_told() {
    let (machine, _) = machine("one", TENDER_FLUSH, BLOCK_FLUSH);
    let background = machine.devices.block[0].background.as_ref().unwrap();
    let mut guest = Guest::new(machine);
    assert_eq!(guest.end(), INVALID);
    for outcome in [1, 2, 1] {
        assert_eq!(guest.begin(), OK);
        assert_eq!((guest.begin(), guest.end()), (AGAIN, AGAIN));
        assert_eq!(guest.poll(u64::MAX, 0), 0);
        assert_eq!(read_count(&background.begin).unwrap(), 1);
        add_count(&background.end, outcome).unwrap();
        for (wanted, ready) in [(0, 0), (!2, 0), (2, 2), (u64::MAX, 2)] {
            assert_eq!(guest.poll(wanted, 0), ready);
        }
        assert_eq!(guest.begin(), AGAIN);
        assert_eq!(guest.end(), if outcome == 1 { OK } else { UNSPECIFIED });
        assert_eq!(guest.poll(u64::MAX, 0), 0);
        assert_eq!(guest.end(), INVALID);
    }
    for handle in [0, 2, 1 << 32 | 1, u64::MAX] {
        for call in [Hypercall::FlushBegin, Hypercall::FlushEnd] {
            assert_eq!(guest.flush(call, handle), INVALID);
        }
    }
}

#[test]
fn a_thread_flushes_until_the_image_is_cut_short() {
    let (machine, file) = machine("thread", TENDER_FLUSH, BLOCK_FLUSH);
    flush::start(machine).unwrap();
    let mut guest = Guest::new(machine);
    let mut flush = || {
        assert_eq!(guest.begin(), OK);
        assert_eq!(guest.poll(2, u64::MAX), 2);
        guest.end()
    };
    assert_eq!([flush(), flush()], [OK, OK]);
    file.set_len(100).unwrap();
    assert_eq!(flush(), SHRUNK);
    file.set_len(2048).unwrap();
    assert_eq!([flush(), flush()], [UNSPECIFIED, UNSPECIFIED]);
}

/// As what was written may be lost, whatever the thread has met.
#[test]
fn no_flush_succeeds_during_which_the_image_was_found_cut_short() {
    let (machine, file) = machine("meanwhile", TENDER_FLUSH, BLOCK_FLUSH);
    let background = machine.devices.block[0].background.as_ref().unwrap();
    let mut guest = Guest::new(machine);
    assert_eq!(guest.begin(), OK);
    file.set_len(1024).unwrap();
    let write = BlockIo {
        len: 512,
        data: ARGUMENT,
        handle: 1,
        ..Default::default()
    };
    let answer = guest.call(Hypercall::BlockWrite, write.to_bytes());
    assert_eq!(BlockIo::from_bytes(&answer).ret, UNSPECIFIED);
    file.set_len(2048).unwrap();
    add_count(&background.end, 1).unwrap();
    assert_eq!(guest.end(), UNSPECIFIED);
}

/// One that goes on is waited for, and what came of it is still told.
#[test]
fn a_flush_that_is_waited_for_follows_one_that_goes_on() {
    let (machine, _) = machine("after", TENDER_FLUSH, BLOCK_FLUSH);
    flush::start(machine).unwrap();
    let mut guest = Guest::new(machine);
    for _ in 0..100 {
        assert_eq!(guest.begin(), OK);
        assert_eq!(guest.flush(Hypercall::BlockFlush, 1), OK);
        assert_eq!(guest.end(), OK);
    }
}
