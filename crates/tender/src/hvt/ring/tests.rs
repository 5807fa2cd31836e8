//! The ring as a hostile guest fills it. (Frames through it are tested on whole unikernels.)

use std::thread;

use solo5_abi::manifest::{Entry as ManifestEntry, Header, Manifest};

use super::*;
use crate::options::{Command, parse};

const MEM_SIZE: u64 = 0x20_0000;

struct Guest {
    memory: GuestMemory,
    devices: Devices,
}

impl Guest {
    fn new() -> Self {
        let mut manifest = Header::new(1).to_bytes().to_vec();
        manifest.extend(ManifestEntry::RESERVED_FIRST.to_bytes());
        let Ok(Command::Run(options)) = parse(["kernel".into()]) else {
            unreachable!()
        };
        let devices = Devices::attach(&Manifest::parse(&manifest).unwrap(), &options).unwrap();
        Self {
            memory: GuestMemory::new(MEM_SIZE + 0x20_0000, MEM_SIZE).unwrap(),
            devices,
        }
    }

    fn ring(&self) -> Ring<'_> {
        Ring::new(&self.memory, &self.devices, MEM_SIZE).unwrap()
    }

    fn submit(&self, index: u32, entry: Entry) {
        self.memory
            .write(MEM_SIZE + ring::entry_offset(index), &entry.to_bytes());
    }

    fn publish(&self, tail: u32) {
        self.word(ring::ENT_TAIL).store(tail, Ordering::SeqCst);
    }

    fn word(&self, offset: u64) -> &AtomicU32 {
        self.memory.atomic(MEM_SIZE + offset).unwrap()
    }

    fn commit(&self, index: u32) -> Commit {
        let mut bytes = [0; Commit::SIZE];
        let slot = self
            .memory
            .slice(MEM_SIZE + ring::commit_offset(index), Commit::SIZE as u64);
        slot.unwrap().copy_to(&mut bytes);
        Commit::from_bytes(&bytes)
    }
}

#[test]
fn the_index_is_bounded_by_the_ring() {
    for tail in [1025, 0x8000_0000, u32::MAX] {
        let guest = Guest::new();
        let doorbell = Doorbell::new().unwrap();
        guest.publish(tail);
        assert_eq!(
            guest.ring().serve(&doorbell),
            Err(Fault::RingIndex { head: 0, tail })
        );
    }
}

#[test]
fn a_full_ring_is_served_and_indices_wrap() {
    let guest = Guest::new();
    let mut ring = guest.ring();
    ring.ent_head = u32::MAX - 5;
    ring.com_tail = u32::MAX;
    for n in 0..1024_u32 {
        let operation = if n == 7 { ring::OPERATION_READ } else { 77 };
        guest.submit(
            (u32::MAX - 5).wrapping_add(n),
            Entry {
                operation,
                id: n,
                ..Default::default()
            },
        );
    }
    ring.consume((u32::MAX - 5).wrapping_add(1024)).unwrap();
    assert_eq!(guest.word(ring::ENT_HEAD).load(Ordering::SeqCst), 1018);
    assert_eq!(guest.word(ring::COM_TAIL).load(Ordering::SeqCst), 0);
    let commit = Commit {
        id: 7,
        ret: SolResult::Einval as i32,
        ..Default::default()
    };
    assert_eq!(
        guest.commit(u32::MAX),
        commit,
        "the one read has the one completion: no such device"
    );
}

/// The tender's own indices are not those in guest memory.
#[test]
fn words_of_the_tender_that_the_guest_overwrites_count_for_nothing() {
    let guest = Guest::new();
    let mut ring = guest.ring();
    for word in [ring::ENT_HEAD, ring::COM_TAIL, ring::COM_HEAD] {
        guest.word(word).store(0xdead_beef, Ordering::SeqCst);
    }
    guest.submit(
        0,
        Entry {
            operation: ring::OPERATION_READ,
            id: 3,
            ..Default::default()
        },
    );
    ring.consume(1).unwrap();
    assert_eq!(guest.word(ring::ENT_HEAD).load(Ordering::SeqCst), 1);
    assert_eq!(guest.word(ring::COM_TAIL).load(Ordering::SeqCst), 1);
    assert_eq!(guest.commit(0).id, 3);
}

/// Submits and kicks as the ABI has it, with another thread as tender, and halts with work left in the ring.
#[test]
fn every_submission_before_the_halt_is_served() {
    const TOTAL: u32 = 5000;
    let guest = Guest::new();
    let doorbell = Doorbell::new().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let served = guest.ring().serve(&doorbell);
            doorbell.done.write(1).unwrap();
            served.unwrap();
        });
        for n in 0..TOTAL {
            while n - guest.word(ring::ENT_HEAD).load(Ordering::Acquire) >= 1023 {
                thread::yield_now();
            }
            guest.submit(
                n,
                Entry {
                    operation: ring::OPERATION_READ,
                    id: n,
                    ..Default::default()
                },
            );
            guest.word(ring::ENT_TAIL).store(n + 1, Ordering::Release);
            fence(Ordering::SeqCst);
            if guest.word(ring::NEEDS_KICK).load(Ordering::Relaxed) != 0 {
                doorbell.kick.write(1).unwrap();
            }
        }
        doorbell.finish();
    });
    assert_eq!(guest.word(ring::COM_TAIL).load(Ordering::SeqCst), TOTAL);
    assert_eq!(guest.commit(TOTAL - 1).id, TOTAL - 1);
}
