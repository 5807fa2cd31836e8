//! Every hypercall as a hostile guest makes it, without a virtual machine.

mod block;
mod waits;

use std::fs;
use std::path::PathBuf;

use solo5_abi::manifest::{
    BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_MANY, DeviceType, Entry, Header, Manifest,
};

use super::*;
use crate::options::{Command, parse};

const LIMIT: u64 = 0x20_0000;
/// Where the tests put argument structures and buffers.
const ARGUMENT: u64 = 0x11_0000;
const BUFFER: u64 = 0x12_0000;

fn devices(entries: &[Entry], options: &str) -> Devices {
    let mut manifest = Header::new(entries.len() as u32 + 1).to_bytes().to_vec();
    manifest.extend(Entry::RESERVED_FIRST.to_bytes());
    manifest.extend(entries.iter().flat_map(Entry::to_bytes));
    let line = format!("{options} kernel");
    let Ok(Command::Run(options)) = parse(line.split_whitespace().map(Into::into)) else {
        panic!("{line}")
    };
    Devices::attach(&Manifest::parse(&manifest).unwrap(), &options).unwrap()
}

fn disk(name: &str) -> (PathBuf, Devices) {
    disk_wanting(name, 0)
}

/// A disk of which the guest asks these features.
fn disk_wanting(name: &str, wanted: u16) -> (PathBuf, Devices) {
    let path = std::env::temp_dir().join(format!("tender-{}-{name}", std::process::id()));
    fs::write(&path, [7; 2048]).unwrap();
    let entry = Entry::new("disk", DeviceType::BlockBasic).wanting(wanted);
    let devices = devices(&[entry], &format!("--block:disk={}", path.display()));
    (path, devices)
}

struct Guest {
    memory: GuestMemory,
    devices: Devices,
}

impl Guest {
    fn new(devices: Devices) -> Self {
        Self {
            memory: GuestMemory::new(LIMIT, LIMIT).unwrap(),
            devices,
        }
    }

    fn out(&self, port: u16, data: &[u8]) -> Result<Outcome, Fault> {
        Hypercalls::new(&self.memory, &self.devices, None).serve(port, data)
    }

    /// Makes a hypercall with its argument at the usual place; the argument afterwards.
    fn call<const N: usize>(&self, call: Hypercall, argument: [u8; N]) -> Result<[u8; N], Fault> {
        self.memory.write(ARGUMENT, &argument);
        assert_eq!(
            self.out(call.port(), &(ARGUMENT as u32).to_le_bytes())?,
            Outcome::Continue
        );
        Ok(copy(&self.memory.slice(ARGUMENT, N as u64).unwrap()))
    }
}

#[test]
fn ports_and_widths_are_checked() {
    let guest = Guest::new(devices(&[], ""));
    for port in [0, 0x4ff, 0x500, 0x509, 0x57f, 0x585, 0x600, 0xffff] {
        assert_eq!(guest.out(port, &[0; 4]), Err(Fault::Port { port }));
    }
    for len in [0, 1, 2, 8] {
        assert_eq!(
            guest.out(0x502, &[0; 8][..len]),
            Err(Fault::Width { port: 0x502, len })
        );
    }
}

#[test]
fn arguments_lie_in_memory() {
    let guest = Guest::new(devices(&[], ""));
    for call in [
        Hypercall::Walltime,
        Hypercall::Puts,
        Hypercall::Poll,
        Hypercall::Halt,
    ] {
        for address in [LIMIT as u32, LIMIT as u32 - 8, u32::MAX] {
            let fault = guest.out(call.port(), &address.to_le_bytes()).unwrap_err();
            assert!(
                matches!(
                    fault,
                    Fault::Pointer {
                        what: "hypercall argument",
                        ..
                    }
                ),
                "{call:?}: {fault}"
            );
        }
    }
    // The page tables may be read and not written.
    let tables = 0x2000_u32.to_le_bytes();
    assert!(matches!(
        guest.out(Hypercall::Walltime.port(), &tables),
        Err(Fault::ReadOnly { .. })
    ));
    assert!(matches!(
        guest.out(Hypercall::Poll.port(), &tables),
        Err(Fault::ReadOnly { .. })
    ));
    assert_eq!(
        guest.out(Hypercall::Puts.port(), &tables),
        Ok(Outcome::Continue)
    );
}

#[test]
fn walltime_is_the_hosts() {
    let guest = Guest::new(devices(&[], ""));
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos() as u64
    };
    let before = now();
    let walltime = guest
        .call(Hypercall::Walltime, Walltime::default().to_bytes())
        .unwrap();
    let told = Walltime::from_bytes(&walltime).nsecs;
    assert!(before <= told && told <= now());
}

#[test]
fn puts_checks_its_buffer() {
    let guest = Guest::new(devices(&[], ""));
    for (data, len) in [
        (u64::MAX, 1),
        (BUFFER, LIMIT),
        (LIMIT, 0),
        (BUFFER, u64::MAX),
    ] {
        let fault = guest
            .call(Hypercall::Puts, Puts { data, len }.to_bytes())
            .unwrap_err();
        assert_eq!(
            fault,
            Fault::Pointer {
                what: "console output",
                address: data,
                len,
                limit: LIMIT
            }
        );
    }
}

#[test]
fn calls_for_absent_devices_are_faults() {
    let guest = Guest::new(devices(&[], ""));
    for call in [
        Hypercall::BlockRead,
        Hypercall::BlockWrite,
        Hypercall::NetRead,
        Hypercall::NetWrite,
    ] {
        assert_eq!(guest.call(call, [0; 40]), Err(Fault::Absent { call }));
    }
}

#[test]
fn halt_hands_the_status_on_and_checks_the_cookie() {
    let guest = Guest::new(devices(&[], ""));
    let halt = |cookie, exit_status| {
        guest.memory.write(
            ARGUMENT,
            &Halt {
                cookie,
                exit_status,
            }
            .to_bytes(),
        );
        guest.out(Hypercall::Halt.port(), &(ARGUMENT as u32).to_le_bytes())
    };
    assert_eq!(halt(0, 300), Ok(Outcome::Halt(300)));
    assert_eq!(halt(BUFFER, -1), Ok(Outcome::Halt(-1)));
    for cookie in [LIMIT - 512, LIMIT, u64::MAX] {
        assert!(matches!(
            halt(cookie, 0),
            Err(Fault::Pointer {
                what: "HALT cookie",
                ..
            })
        ));
    }
}

/// SplitMix64: the same numbers on every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number near one that a check compares with, or any number.
    fn edge(&mut self) -> u64 {
        const EDGES: [u64; 9] = [0, 1, 512, 2048, 0x10_0000, BUFFER, LIMIT, 1 << 63, u64::MAX];
        let near = (self.next() % 5).wrapping_sub(2);
        match self.next() as usize % (EDGES.len() + 1) {
            n if n < EDGES.len() => EDGES[n].wrapping_add(near),
            _ => self.next(),
        }
    }
}

/// Whatever the arguments, a hypercall has a result or is a fault, and the tender's tables stay as they are.
#[test]
fn random_arguments_are_answered_or_refused() {
    let (path, devices) = disk_wanting("random", BLOCK_FLUSH | BLOCK_MANY | BLOCK_DISCARD);
    fs::remove_file(path).unwrap();
    let guest = Guest::new(devices);
    let tables = vec![0x5a; 0x10_0000];
    guest.memory.write(0, &tables);
    let mut numbers = Numbers(7);
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..200_000 {
        // PUTS would print, POLL would wait.
        let calls = [
            Hypercall::BlockWrite,
            Hypercall::BlockRead,
            Hypercall::BlockFlush,
            Hypercall::FlushBegin,
            Hypercall::FlushEnd,
            Hypercall::BlockDiscard,
            Hypercall::Walltime,
            Hypercall::Halt,
        ];
        let call = calls[numbers.next() as usize % calls.len()];
        let argument = match numbers.next() % 4 {
            0 => numbers.edge() as u32,
            _ => ARGUMENT as u32,
        };
        let fields: [u64; 5] = std::array::from_fn(|_| numbers.edge());
        guest
            .memory
            .write(ARGUMENT, &fields.map(u64::to_le_bytes).concat());
        match guest.out(call.port(), &argument.to_le_bytes()) {
            Ok(_) => answered += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(
        answered > 10_000 && refused > 10_000,
        "{answered} answered, {refused} refused"
    );
    let mut after = vec![0; tables.len()];
    guest
        .memory
        .slice(0, after.len() as u64)
        .unwrap()
        .copy_to(&mut after[..]);
    assert!(after == tables, "the tender's tables have changed");
}
