//! Damaged executables in each tender's loader: nothing panics, and what is wrong is said of the executable, never of a
//! host that could not do as the plan has it.

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::PathBuf;

use solo5_abi::manifest::DeviceType;
use solo5_abi::note::Target;
use tender::{Error, try_load};

use crate::support::{Code, Guest};

const MUTANTS: usize = 20_000;
const MEM: u64 = 16 << 20;
/// Numbers that fields are set to, besides those that are near to what they were.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x1000,
    0xf_ffff,
    0x10_0000,
    MEM - 1,
    MEM,
    0x7fff_ffff,
    0xffff_f000,
    1 << 63,
    u64::MAX - 0xfff,
    u64::MAX,
];

/// A generator of numbers (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Damages a file in one way.
fn mutate(file: &mut Vec<u8>, random: &mut Random) {
    // Headers and notes are what is read, so most of the damage is done there, at fields.
    let at = match random.below(4) {
        0 => random.below(file.len()),
        1 => 8 * random.below(8),
        _ => 64 + 8 * random.below(28),
    };
    let at = at.min(file.len() - 1);
    match random.below(8) {
        0 => file[at] ^= 1 << random.below(8),
        1 => file[at] = random.next() as u8,
        2 => file.truncate(at + 1),
        3 => {
            let count = random.below(64);
            file.splice(at..at, (0..count).map(|_| 0xff));
        }
        4 => {
            let to = random.below(file.len());
            let part = file[at..].iter().take(56).copied().collect::<Vec<_>>();
            put(file, to, &part);
        }
        5 => {
            let (row, other) = (64 + 56 * random.below(4), 64 + 56 * random.below(4));
            if let Some(part) = file.get(row..row + 56).map(<[u8]>::to_vec) {
                put(file, other, &part);
            }
        }
        size => {
            let field = file[at..].first_chunk().copied().unwrap_or_default();
            let number = match random.below(3) {
                0 => u64::from_le_bytes(field)
                    .wrapping_add(random.next() % 9)
                    .wrapping_sub(4),
                1 => random.next() >> random.below(64),
                _ => NUMBERS[random.below(NUMBERS.len())],
            };
            put(file, at, &number.to_le_bytes()[..[4, 8][size - 6]]);
        }
    }
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    for (byte, new) in file.iter_mut().skip(at).zip(bytes) {
        *byte = *new;
    }
}

fn withstands_mutants(tender: tender::Tender, target: Target) {
    // In memory, as 20,000 files take their time.
    // SAFETY: the name is a C string, and the descriptor is nobody else's.
    let mut mutant = unsafe {
        let fd = libc::memfd_create(c"mutant".as_ptr(), libc::MFD_CLOEXEC);
        assert!(fd >= 0);
        File::from_raw_fd(fd)
    };
    let path = PathBuf::from(format!("/proc/self/fd/{}", mutant.as_raw_fd()));
    let good = [
        Guest::new(target, Code::new().hlt()).elf(),
        Guest::new(target, Code::new().bytes(&[0xcc; 9000]))
            .data(&[7; 5000])
            .device("service", DeviceType::NetBasic)
            .device("disk", DeviceType::BlockBasic)
            .elf(),
    ];
    let mut random = Random(0x5eed_0000 + target as u64);
    let mut loaded = 0;
    for number in 0..MUTANTS {
        let mut file = good[number % good.len()].clone();
        for _ in 0..=random.below(3) {
            mutate(&mut file, &mut random);
        }
        mutant.set_len(0).unwrap();
        mutant.rewind().unwrap();
        mutant.write_all(&file).unwrap();
        match try_load(tender, &path, MEM) {
            Ok(()) => loaded += 1,
            Err(error @ (Error::Executable { .. } | Error::Abi { .. })) => {
                let message = error.to_string();
                assert!(!message.contains('\n'), "mutant {number}: {message}");
            }
            Err(error) => panic!("mutant {number}: {error}"),
        }
    }
    // Neither does every damage matter, nor does none.
    assert!((MUTANTS / 20..MUTANTS / 2).contains(&loaded), "{loaded}");
}

#[test]
fn hvt_withstands_mutants() {
    withstands_mutants(tender::Tender::Hvt, Target::Hvt);
}

#[test]
fn spt_withstands_mutants() {
    withstands_mutants(tender::Tender::Spt, Target::Spt);
}
