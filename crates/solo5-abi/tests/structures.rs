//! Structures keep their fields through `to_bytes` and `from_bytes`, and numbers are the ABI's.

use solo5_abi::hvt::{BootInfo, Hypercall, NetIo, Poll, ring};
use solo5_abi::net::{MAX_FRAME, MIN_FRAME, NetHeader};
use solo5_abi::note::{Abi, Header, Target};
use solo5_abi::{api::SolResult, spt};

#[test]
fn boot_information_lies_where_the_abi_puts_it() {
    let info = BootInfo {
        mem_size: 0x2000_0000,
        kernel_end: 0x14_0000,
        cpu_cycle_freq: 2_300_000_000,
        cmdline: 0x1_2345,
        mft: 0x1_0038,
        host_features: 1,
        guest_features: 0,
        net_ring: 0x2000_0000,
    };
    let bytes = info.to_bytes();
    assert_eq!(bytes[0..8], 0x2000_0000_u64.to_le_bytes());
    assert_eq!(bytes[40..48], [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[48..56], 0x2000_0000_u64.to_le_bytes());
    assert_eq!(BootInfo::from_bytes(&bytes), info);

    let info = spt::BootInfo {
        mem_size: 1 << 24,
        kernel_end: 0x14_0000,
        cmdline: 0x1_2345,
        mft: 0x1_1028,
        epollfd: 3,
        timerfd: -1,
    };
    let bytes = info.to_bytes();
    assert_eq!(bytes[32..40], [3, 0, 0, 0, 255, 255, 255, 255]);
    assert_eq!(spt::BootInfo::from_bytes(&bytes), info);
}

#[test]
fn a_ring_is_offered_only_by_bit_and_address_together() {
    let info = |host_features, net_ring| BootInfo {
        host_features,
        net_ring,
        ..BootInfo::default()
    };
    assert_eq!(info(1, 0x1000_0000).ring(), Some(0x1000_0000));
    // A tender without the ring fields: manifest version 1, an empty first name.
    assert_eq!(info(1, 0).ring(), None);
    assert_eq!(info(0, 0x1000_0000).ring(), None);
    assert_eq!(info(2, 0x1000_0000).ring(), None);
}

#[test]
fn padding_is_written_as_zero_and_ignored_when_read() {
    let poll = Poll {
        timeout_nsecs: 1,
        ready_set: 2,
        ret: -1,
    };
    let mut bytes = poll.to_bytes();
    assert_eq!(bytes[16..24], [255, 255, 255, 255, 0, 0, 0, 0]);
    bytes[20..24].fill(0xa5);
    assert_eq!(Poll::from_bytes(&bytes), poll);
    let net = NetIo {
        handle: 1,
        data: 2,
        len: 3,
        ret: 4,
    };
    assert_eq!(NetIo::from_bytes(&net.to_bytes()), net);
}

#[test]
fn the_header_of_a_frame_is_virtio_nets() {
    let header = NetHeader {
        flags: NetHeader::NEEDS_CSUM,
        gso_type: NetHeader::GSO_TCPV4 | NetHeader::GSO_ECN,
        hdr_len: 54,
        gso_size: 1460,
        csum_start: 34,
        csum_offset: 16,
    };
    let bytes = header.to_bytes();
    assert_eq!(bytes, [1, 0x81, 54, 0, 0xb4, 5, 34, 0, 16, 0]);
    assert_eq!(NetHeader::from_bytes(&bytes), header);
    assert_eq!((NetHeader::SIZE, MIN_FRAME, MAX_FRAME), (10, 24, 65_559));
}

#[test]
fn hypercalls_and_ports_map_both_ways() {
    assert_eq!(Hypercall::Walltime.port(), 0x501);
    assert_eq!(Hypercall::Halt.port(), 0x508);
    for port in 0..=u16::MAX {
        match Hypercall::from_port(port) {
            Some(hypercall) => assert_eq!(hypercall.port(), port),
            None => assert!(!(0x501..=0x508).contains(&port), "{port:#x}"),
        }
    }
}

#[test]
fn ring_slots_wrap() {
    assert_eq!(ring::entry_offset(0), 128);
    assert_eq!(ring::entry_offset(1023), 128 + 32 * 1023);
    assert_eq!(ring::entry_offset(1024), 128);
    assert_eq!(ring::commit_offset(u32::MAX), 32_896 + 16 * 1023);
}

#[test]
fn unknown_numbers_have_no_name() {
    assert_eq!(Target::from_raw(2), Some(Target::Spt));
    assert_eq!(Target::Hvt.to_string(), "hvt");
    assert_eq!((Target::from_raw(0), Target::from_raw(7)), (None, None));
    assert_eq!(SolResult::from_raw(3), Some(SolResult::Eunspec));
    assert_eq!(SolResult::from_raw(4), None);
    assert_eq!(SolResult::from_raw(128), Some(SolResult::Eshrunk));
    assert_eq!(SolResult::from_raw(129), Some(SolResult::Enospc));
    assert_eq!((Header::SIZE, Abi::SIZE), (12, 16));
}
