//! Options as RFC 9293 §3.1, RFC 7323 and RFC 2018 write them.

use super::{SackBlocks, TcpOptions, Timestamps};
use crate::proto::tcp::wire::seq::Seq;

#[test]
fn rfc9293_3_1_must_6_unknown_options_are_skipped_by_their_length() {
    let options = TcpOptions::parse(&[1, 253, 4, 0xaa, 0xbb, 2, 4, 0x05, 0xb4, 0, 99, 99]);
    assert_eq!(
        options,
        TcpOptions {
            mss: Some(1460),
            ..TcpOptions::default()
        }
    );
}

#[test]
fn rfc9293_3_1_must_7_illegal_lengths_end_the_list() {
    for illegal in [
        &[2, 4, 0x05, 0xb4, 8, 0][..],
        &[2, 4, 0x05, 0xb4, 8, 1],
        &[2, 4, 0x05, 0xb4, 8, 200, 1],
        &[2, 4, 0x05, 0xb4, 3],
    ] {
        assert_eq!(
            TcpOptions::parse(illegal),
            TcpOptions {
                mss: Some(1460),
                ..TcpOptions::default()
            },
            "{illegal:?}"
        );
    }
}

#[test]
fn rfc7323_2_3_a_shift_above_14_counts_as_14() {
    assert_eq!(TcpOptions::parse(&[3, 3, 200, 0]).window_scale, Some(14));
}

#[test]
fn a_known_kind_with_a_wrong_length_is_ignored() {
    assert_eq!(
        TcpOptions::parse(&[2, 3, 9, 4, 3, 0, 5, 5, 1, 2, 3, 0]),
        TcpOptions::default()
    );
}

#[test]
fn what_is_written_is_read_back() {
    let mut sack = SackBlocks::default();
    sack.push((Seq(1), Seq(2)));
    sack.push((Seq(u32::MAX), Seq(4)));
    let timestamps = Some(Timestamps {
        val: 0x0102_0304,
        ecr: 0x0506_0708,
    });
    for options in [
        TcpOptions::default(),
        TcpOptions {
            timestamps,
            ..TcpOptions::default()
        },
        TcpOptions {
            timestamps,
            sack,
            ..TcpOptions::default()
        },
        TcpOptions {
            mss: Some(536),
            window_scale: Some(7),
            sack_permitted: true,
            timestamps,
            ..TcpOptions::default()
        },
    ] {
        let mut bytes = [0xff; 40];
        options.write(&mut bytes);
        assert_eq!(options.encoded_len() % 4, 0);
        assert_eq!(TcpOptions::parse(&bytes[..options.encoded_len()]), options);
    }
}

#[test]
fn any_octets_are_read_without_panic() {
    let mut state = 1_u64;
    let mut bytes = [0; 40];
    for _ in 0..100_000 {
        for byte in &mut bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Small values are the interesting ones: kinds and lengths.
            *byte = ((state >> 33) as u8) & 0x1f;
        }
        let length = (state >> 40) as usize % 41;
        let parsed = TcpOptions::parse(&bytes[..length]);
        assert!(parsed.sack.as_slice().len() <= 4);
    }
}
