use super::{Sum, checksum, update};
use core::net::Ipv4Addr;

/// RFC 1071 word by word, as slowly as it is written there.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn pseudo_random(len: usize, mut state: u64) -> Vec<u8> {
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

#[test]
fn agrees_with_the_naive_sum_at_every_length() {
    for len in 0..400 {
        for bytes in [
            pseudo_random(len, len as u64),
            vec![0xff; len],
            vec![0; len],
        ] {
            assert_eq!(checksum(&bytes), naive(&bytes), "length {len}");
        }
    }
}

#[test]
fn copying_sums_what_it_copies() {
    for len in [0, 1, 7, 8, 63, 64, 65, 1459, 1460, 8960] {
        let from = pseudo_random(len, 7);
        let mut to = vec![0; len + 3];
        assert_eq!(
            Sum::default().add_copy(&from, &mut to).finish(),
            naive(&from)
        );
        assert_eq!(to[..len], from);
        assert_eq!(to[len..], [0; 3]);
    }
}

#[test]
fn pieces_combine() {
    let bytes = pseudo_random(1001, 3);
    for cut in (0..1000).step_by(2) {
        let (left, right) = bytes.split_at(cut);
        let sum = Sum::default()
            .add_slice(left)
            .combine(Sum::default().add_slice(right));
        assert_eq!(sum.finish(), naive(&bytes));
        assert_eq!(
            Sum::default().add_slice(left).add_slice(right).finish(),
            naive(&bytes)
        );
    }
}

#[test]
fn rfc1624_update_equals_a_new_sum() {
    let mut bytes = pseudo_random(40, 11);
    let before = checksum(&bytes);
    let old = u16::from_be_bytes([bytes[6], bytes[7]]);
    for new in [0, 1, 0x1234, 0xfffe, 0xffff, old] {
        bytes[6..8].copy_from_slice(&new.to_be_bytes());
        assert_eq!(update(before, old, new), checksum(&bytes));
    }
}

#[test]
fn pseudo_header_is_rfc9293_section_3_1() {
    let (source, destination) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    let header = [10, 0, 0, 1, 10, 0, 0, 2, 0, 6, 0, 20];
    assert_eq!(
        Sum::pseudo_header(source, destination, 6, 20).finish(),
        checksum(&header)
    );
}
