//! Random numbers from the processor, through the system's source.

use std::collections::HashSet;

pub(crate) fn getrandom_0_2() {
    let mut bytes = [[0_u8; 32]; 2];
    for bytes in &mut bytes {
        getrandom_0_2::getrandom(bytes).unwrap();
    }
    assert_ne!(bytes[0], [0; 32]);
    assert_ne!(bytes[0], bytes[1]);
}

pub(crate) fn rand_0_8() {
    use rand_0_8::seq::SliceRandom as _;
    use rand_0_8::{Rng as _, SeedableRng as _};

    let mut generator = rand_0_8::thread_rng();
    let numbers: HashSet<u64> = (0..1_000).map(|_| generator.r#gen()).collect();
    assert_eq!(numbers.len(), 1_000);
    let mut cards: Vec<u8> = (0..52).collect();
    cards.shuffle(&mut generator);
    assert!(!cards.is_sorted());
    let seeded = || rand_0_8::rngs::StdRng::seed_from_u64(7).gen_range(0..1_000_000);
    assert_eq!(seeded(), seeded());
}

pub(crate) fn rand_0_10() {
    use rand::{RngExt as _, SeedableRng as _};

    let mut generator = rand::rng();
    let numbers: HashSet<u64> = (0..1_000).map(|_| generator.random()).collect();
    assert_eq!(numbers.len(), 1_000);
    let seeded = || rand::rngs::StdRng::seed_from_u64(7).random_range(0..1_000_000);
    assert_eq!(seeded(), seeded());
}
