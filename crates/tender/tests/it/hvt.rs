//! Guests under solo5-hvt, honest and hostile.
//!
//! Where there is no KVM, each run boots an emulated machine, so each of these tests is worth its seconds: what can be
//! tested without a guest is tested beside the code.

use solo5_abi::hvt::{BlockIo, Halt, Puts};
use solo5_abi::manifest::DeviceType;

use crate::support::{Code, DATA, Ended, Guest, Reg, Scratch, TEXT, Tender, run_hvt};

const PUTS: u16 = 0x502;
const BLOCK_READ: u16 = 0x505;
const HALT: u16 = 0x508;

fn run(guest: &Guest, options: &[&str]) -> Ended {
    let scratch = Scratch::new();
    run_hvt(&guest.write(&scratch), options, &["--foo", "a b"])
}

#[track_caller]
fn faults(code: Code, what: &str) {
    let ended = run(&Guest::hvt(code), &["--mem=4"]);
    ended.refused(Tender::Hvt, what, false);
}

/// Prints the command line and a block of a disk, then halts.
#[test]
fn a_guest_runs_to_its_end() {
    let scratch = Scratch::new();
    let image = scratch.image("disk.img", 1024, b'x');
    // The command line lies behind the boot information and the manifest of two entries.
    let cmdline = 0x1_0038 + 8 + 2 * 104;
    let buffer = DATA + 0x200;
    let data = [
        &Puts {
            data: cmdline,
            len: 9,
        }
        .to_bytes()[..],
        &BlockIo {
            handle: 1,
            offset: 512,
            data: buffer,
            len: 512,
            ret: -1,
        }
        .to_bytes(),
        &Puts {
            data: buffer + 508,
            len: 4,
        }
        .to_bytes(),
        &Halt {
            cookie: 0,
            exit_status: 300,
        }
        .to_bytes(),
    ]
    .concat();
    let at = |offset: u64| (DATA + offset) as u32;
    let code = Code::new()
        .out(PUTS, at(0))
        .out(BLOCK_READ, at(16))
        .out(PUTS, at(56))
        .out(HALT, at(72));
    let guest = Guest::hvt(code)
        .data(&data)
        .device("disk", DeviceType::BlockBasic);
    let ended = run(
        &guest,
        &["--mem=4", &format!("--block:disk={}", image.display())],
    );
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (Some(44), "--foo a bxxxx", "")
    );
}

#[test]
fn hostile_pointers_are_faults() {
    let too_high = (4 << 20) - 16;
    faults(
        Code::new().out(PUTS, too_high),
        "16 bytes at 0x3ffff0 as hypercall argument: expected an end below 0x400000",
    );
}

#[test]
fn strange_ports_are_faults() {
    faults(
        Code::new().out(0x42, 0),
        "guest wrote to I/O port 0x42: expected a hypercall",
    );
    let byte_wide = Code::new().set(Reg::Rdx, PUTS.into()).bytes(&[0xee]);
    faults(
        byte_wide,
        "guest wrote 1 bytes to I/O port 0x502: expected 4",
    );
    let input = Code::new().set(Reg::Rdx, PUTS.into()).bytes(&[0xed]);
    faults(input, "guest read 4 bytes from I/O port 0x502");
}

#[test]
fn stopping_the_processor_is_a_fault() {
    faults(Code::new().hlt(), "guest executed HLT");
    // An exception without an interrupt descriptor table.
    faults(Code::new().bytes(&[0x0f, 0x0b]), "guest triple-faulted");
}

/// W^X: text is not writable; data and heap are not executable, unless asked for.
#[test]
fn memory_is_writable_or_executable_but_not_both() {
    faults(Code::new().store(TEXT, 1), "translation fault");
    // Code that is reached shows by its HLT.
    let run_heap = Code::new().store(0x20_0000, 0xf4).jump(0x20_0000);
    faults(run_heap.clone(), "guest triple-faulted");
    faults(
        Code::new().store(DATA, 0xf4).jump(DATA),
        "guest triple-faulted",
    );
    let ended = run(&Guest::hvt(run_heap), &["--mem=4", "--x-exec-heap"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("all guest memory is executable"),
        "{ended:?}"
    );
    assert!(
        ended
            .stderr
            .contains("guest executed HLT: expected hypercall HALT, rip=0x200001"),
        "{ended:?}"
    );
}

/// Where the ring is with 64 MiB of memory, and what the ABI has in it.
const RING: u64 = 64 << 20;
const KICK: u16 = 0x600;

/// Publishes `tail` submissions, kicks, and spins: the tender's other thread must end the guest.
fn kick(code: Code, tail: u32) -> Code {
    code.store(RING, tail)
        .bytes(&[0x0f, 0xae, 0xf0])
        .out(KICK, 0)
        .bytes(&[0xeb, 0xfe])
}

#[test]
fn a_hostile_ring_is_a_fault() {
    let read_into_text = Code::new()
        .store(RING + 128, 2)
        .store(RING + 132, 1)
        .store(RING + 136, TEXT as u32);
    let cases = [
        (
            kick(Code::new(), 5000),
            "network ring's ent_tail to 5000: expected 0 to 0 + 1024",
        ),
        (
            kick(read_into_text.store(RING + 144, 1514), 1),
            "1514 bytes at 0x100000 as frame buffer",
        ),
    ];
    for (code, what) in cases {
        let guest = Guest::hvt(code).device("service", DeviceType::NetBasic);
        let ended = run(&guest, &["--mem=64", "--net:service=tap0"]);
        ended.refused(Tender::Hvt, what, false);
    }
}
