//! Collections, strings and numbers.

use std::collections::{BTreeMap, HashMap};

/// Keys are hashed with random numbers from the processor.
pub(crate) fn hash_map() {
    let mut map = HashMap::new();
    for number in 0..10_000_u32 {
        map.insert(number, number.to_string());
    }
    assert_eq!(map.len(), 10_000);
    assert_eq!(map[&4321], "4321");
    map.retain(|number, _| number % 2 == 0);
    assert_eq!(map.len(), 5_000);
}

pub(crate) fn b_tree_map() {
    let map: BTreeMap<_, _> = (0..10_000_u32).rev().map(|n| (n, n * n)).collect();
    assert!(map.keys().copied().eq(0..10_000));
    assert_eq!(map.range(100..).next(), Some((&100, &10_000)));
}

pub(crate) fn formatting() {
    assert_eq!(
        format!("{:>8.3}|{:#010x}", 1.0 / 3.0, 48_879),
        "   0.333|0x0000beef"
    );
    assert_eq!(format!("{:?}", "tab\there"), r#""tab\there""#);
    assert_eq!(format!("{:e}", 123_456.0_f64), "1.23456e5");
    assert_eq!("1.7976931348623157e308".parse(), Ok(f64::MAX));
    assert_eq!("ΑΣ".to_lowercase(), "ας");
    let long = "solo5 ".repeat(100_000);
    assert_eq!(long.replace("solo5", "unikernel").len(), 1_000_000);
}

/// These are calls of `math.h`; the expected values are the exact results, rounded.
pub(crate) fn floating_point() {
    let close = |value: f64, expected: f64| {
        assert!(
            (value - expected).abs() < 1e-12,
            "{value} is not {expected}"
        );
    };
    let two = std::hint::black_box(2.0_f64);
    close(two.sqrt(), std::f64::consts::SQRT_2);
    close(two.ln(), std::f64::consts::LN_2);
    close(two.exp(), 7.389_056_098_930_65);
    close(two.powf(0.5), std::f64::consts::SQRT_2);
    let (sine, cosine) = std::hint::black_box(std::f64::consts::FRAC_PI_6).sin_cos();
    close(sine, 0.5);
    close(cosine, 0.866_025_403_784_438_6);
    close(two.atan2(two), std::f64::consts::FRAC_PI_4);
    close(std::hint::black_box(-2.5_f64).floor(), -3.0);
    close(std::hint::black_box(-2.5_f64).round(), -3.0);
    close(std::hint::black_box(7.5_f64) % two, 1.5);
    close(two.mul_add(3.0, 1.0), 7.0);
    close(two.hypot(1.5), 2.5);
}
