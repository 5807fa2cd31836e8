//! Damaged executables and sources by the thousand. Each case comes from a seed, which a failure
//! names.

use manifest_gen::{DeviceType, Manifest};

use crate::invariants::{Accepted, check_executable, check_source};
use crate::support::executable;

/// A xorshift generator: the point is only that a seed gives the same case again.
struct Random(u64);

impl Random {
    fn from_seed(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Numbers at which checks tend to break.
const NUMBERS: [u64; 20] = [
    0,
    1,
    4,
    5,
    11,
    12,
    19,
    20,
    64,
    65,
    0xfff,
    0x1000,
    0xf_ffff,
    0x10_0000,
    0x10_1000,
    16 << 20,
    1 << 63,
    u64::MAX - 0xfff,
    u64::MAX - 1,
    u64::MAX,
];

/// Overwrites, flips, cuts or repeats something.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    match random.below(10) {
        0..4 => {
            let width = random.pick(&[1, 2, 4, 8]);
            let at = at / width * width;
            let number = random.pick(&NUMBERS).to_le_bytes();
            for (byte, new) in bytes[at..].iter_mut().zip(&number[..width]) {
                *byte = *new;
            }
        }
        4..8 => bytes[at] ^= 1 << random.below(8),
        8 => bytes.truncate(at),
        _ => {
            let to = random.below(bytes.len());
            let len = random.below(64).min(bytes.len() - at).min(bytes.len() - to);
            bytes.copy_within(at..at + len, to);
        }
    }
}

#[test]
fn damaged_executables() {
    let mut counts = [0_u32; 4];
    let cases = 20_000;
    for seed in 0..cases {
        let mut random = Random::from_seed(seed);
        let mut file = executable();
        for _ in 0..=random.below(4) {
            damage(&mut file, &mut random);
        }
        let result = std::panic::catch_unwind(|| check_executable(&file));
        let Ok(accepted) = result else {
            panic!("seed {seed}");
        };
        let Accepted {
            headers,
            plan,
            abi,
            manifest,
        } = accepted;
        for (count, accepted) in counts.iter_mut().zip([headers, plan, abi, manifest]) {
            *count += u32::from(accepted);
        }
    }
    // The damage reaches each check from both sides.
    for count in counts {
        assert!((1000..19_000).contains(&count), "{counts:?}");
    }
}

#[test]
fn damaged_sources() {
    let mut manifest = Manifest::new();
    manifest.push("service0", DeviceType::NetBasic).unwrap();
    manifest.push("storage", DeviceType::BlockBasic).unwrap();
    let good = manifest.to_json();
    let mut accepted = 0;
    for seed in 0..20_000 {
        let mut random = Random::from_seed(seed);
        let mut source = good.clone().into_bytes();
        for _ in 0..=random.below(3) {
            if random.below(2) == 0 {
                damage(&mut source, &mut random);
            } else if !source.is_empty() {
                let at = random.below(source.len());
                source[at] = random.pick(b"{}[]\",:\\\n 01-.eEtfnaz/");
            }
        }
        let result = std::panic::catch_unwind(|| check_source(&source));
        let Ok(good) = result else {
            panic!("seed {seed}");
        };
        accepted += u32::from(good);
    }
    assert!((100..19_000).contains(&accepted), "{accepted}");
}
