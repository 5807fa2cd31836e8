//! The ChaCha20 stream (RFC 8439, section 2.3), for random bytes.
//!
//! It is written here because Cargo gives all of a program one build of a dependency, with every feature that any of its
//! crates asks for: one that asked for `std` in a crate which this library uses would bring `std` into `libc.a`.

/// The words of a key.
pub type Key = [u32; 8];

/// "expand 32-byte k", in little-endian words.
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// Section 2.1.
fn quarter_round(state: &mut [u32; 16], [a, b, c, d]: [usize; 4]) {
    for [first, second] in [[16, 12], [8, 7]] {
        state[a] = state[a].wrapping_add(state[b]);
        state[d] = (state[d] ^ state[a]).rotate_left(first);
        state[c] = state[c].wrapping_add(state[d]);
        state[b] = (state[b] ^ state[c]).rotate_left(second);
    }
}

/// One block of the stream. `rest` is the end of the state: the RFC has the counter in its first word and the nonce in the
/// others.
pub fn block(key: &Key, rest: [u32; 4]) -> [u32; 16] {
    let mut first = [0; 16];
    first[..4].copy_from_slice(&CONSTANTS);
    first[4..12].copy_from_slice(key);
    first[12..].copy_from_slice(&rest);
    let mut state = first;
    for _ in 0..10 {
        for column in 0..4 {
            quarter_round(&mut state, [column, column + 4, column + 8, column + 12]);
        }
        for diagonal in 0..4 {
            let next = |row: usize| 4 * row + (diagonal + row) % 4;
            quarter_round(&mut state, [diagonal, next(1), next(2), next(3)]);
        }
    }
    for (word, first) in state.iter_mut().zip(first) {
        *word = word.wrapping_add(first);
    }
    state
}

/// The stream of a key, with a counter of 64 bits and no nonce.
#[derive(Debug)]
pub struct Stream {
    key: Key,
    counter: u64,
}

impl Stream {
    /// The stream from its beginning.
    pub fn new(key: Key) -> Self {
        Self { key, counter: 0 }
    }

    fn next(&mut self) -> [u32; 16] {
        let counter = [self.counter as u32, (self.counter >> 32) as u32];
        self.counter = self.counter.wrapping_add(1);
        block(&self.key, [counter[0], counter[1], 0, 0])
    }

    /// Fills `bytes` with the next blocks; what is left of the last one is dropped.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for bytes in bytes.chunks_mut(64) {
            for (bytes, word) in bytes.chunks_mut(4).zip(self.next()) {
                bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
            }
        }
    }

    /// A key out of the next block.
    pub fn key(&mut self) -> Key {
        let mut key = Key::default();
        key.copy_from_slice(&self.next()[..8]);
        key
    }
}
