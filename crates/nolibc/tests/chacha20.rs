//! ChaCha20 against the RFC.

use nolibc::chacha20::{Key, Stream, block};

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// RFC 8439, section 2.3.2.
#[test]
fn block_of_the_rfc() {
    let key: Vec<u8> = (0..32).collect();
    let key: Vec<u32> = key
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    let key: Key = key.try_into().unwrap();
    let expected = [
        0xe4e7_f110,
        0x1559_3bd1,
        0x1fdd_0f50,
        0xc471_20a3,
        0xc7f4_d1c7,
        0x0368_c033,
        0x9aaa_2204,
        0x4e6c_d4c3,
        0x4664_82d2,
        0x09aa_9f07,
        0x05d7_c214,
        0xa202_8bd9,
        0xd19c_12b5,
        0xb94e_16de,
        0xe883_d0cb,
        0x4e3c_50a2,
    ];
    assert_eq!(block(&key, [1, 0x0900_0000, 0x4a00_0000, 0]), expected);
}

/// RFC 8439, appendix A.1, test vector 1.
#[test]
fn stream_of_zeros() {
    let mut start = [0; 16];
    Stream::new([0; 8]).fill(&mut start);
    let expected = [
        0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd,
        0x28,
    ];
    assert_eq!(start, expected);
}

#[test]
fn stream_is_its_blocks() {
    let key = [7, 6, 5, 4, 3, 2, 1, 0];
    let mut filled = [0; 150];
    let mut stream = Stream::new(key);
    stream.fill(&mut filled);
    let blocks: Vec<u8> = (0..3)
        .flat_map(|counter| bytes(&block(&key, [counter, 0, 0, 0])))
        .collect();
    assert_eq!(filled, blocks[..150]);
    assert_eq!(stream.key(), block(&key, [3, 0, 0, 0])[..8]);
}
