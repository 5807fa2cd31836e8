//! Octets from a seed, made and checked without keeping them.

use std::io::{self, Read, Write};

/// An endless stream of octets that only its seed determines.
#[derive(Clone)]
pub(crate) struct Octets {
    state: u64,
    word: [u8; 8],
    used: usize,
}

impl Octets {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed,
            word: [0; 8],
            used: 8,
        }
    }

    /// Writes the next octets over `buffer`.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) {
        for octet in buffer {
            if self.used == 8 {
                // A Weyl sequence through a finalizer (SplitMix64).
                self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = self.state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                (self.word, self.used) = ((z ^ (z >> 31)).to_le_bytes(), 0);
            }
            *octet = self.word[self.used];
            self.used += 1;
        }
    }

    /// Compares `data` with the next octets.
    pub(crate) fn check(&mut self, data: &[u8]) {
        let mut expected = vec![0; data.len()];
        self.fill(&mut expected);
        assert!(data == expected, "an octet differs");
    }

    /// Sends the next `count` octets.
    pub(crate) fn send(&mut self, to: &mut impl Write, count: usize) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        let mut left = count;
        while left > 0 {
            let len = left.min(buffer.len());
            self.fill(&mut buffer[..len]);
            to.write_all(&buffer[..len])?;
            left -= len;
        }
        Ok(())
    }

    /// Receives and checks octets to the end of the stream; their number.
    pub(crate) fn receive(&mut self, from: &mut impl Read) -> io::Result<usize> {
        let mut buffer = vec![0; 64 << 10];
        let mut count = 0;
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(count),
                Ok(len) => {
                    self.check(&buffer[..len]);
                    count += len;
                }
                // Of a process that was stopped and goes on, where there is a time-out (signal(7)).
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
