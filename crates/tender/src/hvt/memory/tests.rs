use manifest_gen::elf::Segment;

use super::*;

const LIMIT: u64 = 0x20_0000;

fn memory() -> GuestMemory {
    let mut memory = GuestMemory::new(LIMIT + 0x20_0000, LIMIT).unwrap();
    let text = Segment {
        offset: 0,
        filesz: 1,
        vaddr: 0x10_1000,
        memsz: 1,
        start: 0x10_1000,
        end: 0x10_3000,
        flags: 5,
    };
    memory.protect(&text).unwrap();
    memory
        .protect(&Segment {
            start: 0x10_3000,
            end: 0x10_4000,
            flags: 6,
            ..text
        })
        .unwrap();
    memory
}

fn at(address: u64, len: u64) -> Unchecked {
    Unchecked {
        what: "test",
        address,
        len,
    }
}

#[test]
fn the_last_byte_is_out_of_reach() {
    let memory = memory();
    assert_eq!(memory.readable(at(LIMIT - 9, 8)).unwrap().len(), 8);
    for (address, len) in [
        (LIMIT - 8, 8),
        (LIMIT, 0),
        (LIMIT - 1, 1),
        (LIMIT, 8),
        (0, LIMIT),
        (LIMIT + 0x1000, 1),
    ] {
        let fault = memory.readable(at(address, len)).unwrap_err();
        assert_eq!(
            fault,
            Fault::Pointer {
                what: "test",
                address,
                len,
                limit: LIMIT
            }
        );
    }
}

#[test]
fn sums_do_not_wrap() {
    let memory = memory();
    for (address, len) in [
        (8, u64::MAX),
        (u64::MAX, 1),
        (u64::MAX, u64::MAX),
        (LIMIT - 8, u64::MAX - LIMIT + 9),
    ] {
        assert!(matches!(
            memory.readable(at(address, len)),
            Err(Fault::Pointer { .. })
        ));
        assert!(matches!(
            memory.writable(at(address, len)),
            Err(Fault::Pointer { .. })
        ));
    }
}

/// A copy into such a place would kill the tender with SIGSEGV, or change the guest's page tables.
#[test]
fn what_the_guest_may_not_write_the_tender_does_not_write_for_it() {
    let memory = memory();
    for (address, len) in [
        (0x2000, 8),
        (0xf_fff8, 8),
        (0x10_1000, 1),
        (0x10_0ff9, 8),
        (0x10_2fff, 1),
        (0x10_0000, 0x10_0000 - 1),
    ] {
        assert!(memory.readable(at(address, len)).is_ok(), "{address:#x}");
        let fault = memory.writable(at(address, len)).unwrap_err();
        assert_eq!(
            fault,
            Fault::ReadOnly {
                what: "test",
                address,
                len
            }
        );
    }
    for (address, len) in [(0x10_0000, 0x1000), (0x10_3000, 0x1000), (0x10_2ff8 + 8, 8)] {
        memory
            .writable(at(address, len))
            .unwrap()
            .copy_from(&[7; 8]);
    }
}
