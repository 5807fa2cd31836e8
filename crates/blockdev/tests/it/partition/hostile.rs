//! Tables that are changed here and there, each from a seed, which a failure names.

use super::image::{Gpt, record};
use super::invariants::{check_image, correct_all, image};
use crate::random::Random;

/// 256 sectors of 512 bytes with a table of one kind or the other, and the bytes that matter.
fn table(random: &mut Random) -> (Vec<u8>, &'static [std::ops::Range<usize>]) {
    let kind = random.up_to(2);
    if kind == 0 {
        let mut image = vec![0; 256 * 512];
        record(
            &mut image,
            0,
            &[(0x80, 0x83, 1, 9), (0, 5, 10, 100), (0, 15, 110, 146)],
        );
        record(&mut image, 10, &[(0, 0x83, 1, 9), (0, 5, 20, 20)]);
        record(&mut image, 30, &[(0, 0x83, 1, 9)]);
        record(&mut image, 110, &[(0, 0x83, 1, 9), (0, 5, 50, 20)]);
        record(&mut image, 160, &[(0, 0x83, 1, 9)]);
        return (
            image,
            &[
                446..512,
                5566..5632,
                15806..15872,
                56766..56832,
                82366..82432,
            ],
        );
    }
    let sector_size = if kind == 1 { 512 } else { 4096 };
    let mut gpt = Gpt::new(
        sector_size,
        &[(12, 13, "one"), (17, 19, "two"), (14, 16, "three")],
    );
    gpt.sectors = (256 * 512 / sector_size) as u64;
    gpt.count = 8;
    (gpt.first, gpt.last) = (12, 20);
    let places: &[_] = match kind {
        1 => &[446..512, 524..604, 1024..1408, 130_560..130_652],
        _ => &[446..512, 4108..4188, 8192..8576, 126_976..127_068],
    };
    (gpt.image(), places)
}

#[test]
fn tables_that_lie_are_refused_or_harmless() {
    let (mut found, mut refused) = (0, 0);
    for seed in 0..2000 {
        let mut random = Random::new(seed);
        let (mut image, places) = table(&mut random);
        for _ in 0..1 + random.up_to(3) {
            let place = &places[random.up_to(places.len() - 1)];
            let at = place.start + random.up_to((place.len() / 4) - 1) * 4;
            let number: u32 = match random.up_to(4) {
                0 => u32::MAX,
                1 => 0,
                2 => random.up_to(300) as u32,
                3 => 1 << random.up_to(31),
                _ => random.up_to(u32::MAX as usize) as u32,
            };
            image[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        if random.up_to(4) > 0 {
            correct_all(&mut image);
        }
        println!("seed {seed}");
        if check_image(image) {
            found += 1;
        } else {
            refused += 1;
        }
    }
    assert!(found > 200 && refused > 200, "{found} {refused}");
}

#[test]
fn a_fuzzer_s_input_makes_tables() {
    let mut input = vec![0];
    // Of the last 66 bytes of the first sector, those of the first partition.
    input.extend([
        223, 0, 16, 0x80, 0, 0, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0,
    ]);
    input.extend([255, 0, 2, 0x55, 0xaa]);
    assert!(check_image(image(&input)));
    assert!(!check_image(image(&input[..19])));
    assert!(!check_image(image(&[])));
}
