//! TCP options (RFC 9293 §3.1): reading and writing.
//!
//! Read here and not with etherparse's iterator, which ends at the first option that it does not
//! know, whereas RFC 9293 (MUST-6) says to skip such an option by its length.

use super::seq::Seq;
use crate::proto::Instant;
use crate::proto::ip::v4;

/// Largest shift of a window scale option (RFC 7323 §2.3).
pub(crate) const MAX_WINDOW_SCALE: u8 = 14;

/// Octets of a timestamps option, padded to words.
pub(crate) const TIMESTAMPS_LEN: usize = 12;

/// What [`default_mss`] is over IPv4.
const DEFAULT_MSS: u16 = 536;
/// The same over IPv6.
const DEFAULT_MSS_V6: u16 = 1220;
/// Least MSS that a peer is taken to mean, options included: a smaller one only serves to make us send
/// many segments. It is what Linux has (`tcp_min_snd_mss`), and leaves 8 octets of payload beside the
/// longest options. RFC 879 gives no least value; those from here on are kept to (RFC 9293 MUST-16).
pub(crate) const MIN_MSS: u16 = 48;
const END: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// RFC 9293 §3.7.1 (MUST-15): what a peer can take that sends no MSS option, behind an IP header of so
/// many octets.
pub(crate) const fn default_mss(ip_header: usize) -> u16 {
    match ip_header {
        v4::HEADER_LEN => DEFAULT_MSS,
        _ => DEFAULT_MSS_V6,
    }
}

/// The clock of our timestamps (RFC 7323 §4.1: a tick of 1 ms), with the `offset` of a connection.
#[inline]
pub(crate) fn timestamp(offset: u32, now: Instant) -> u32 {
    (now.as_millis() as u32).wrapping_add(offset)
}

/// TSval and TSecr (RFC 7323 §3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timestamps {
    pub(crate) val: u32,
    pub(crate) ecr: u32,
}

/// Up to four ranges of sequence numbers, each from its first number to the one after its last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SackBlocks {
    blocks: [(Seq, Seq); 4],
    len: u8,
}

impl SackBlocks {
    /// Adds a block if there is room.
    pub(crate) fn push(&mut self, block: (Seq, Seq)) {
        if let Some(slot) = self.blocks.get_mut(usize::from(self.len)) {
            *slot = block;
            self.len += 1;
        }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[(Seq, Seq)] {
        &self.blocks[..usize::from(self.len)]
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The options of a segment that are known here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TcpOptions {
    pub(crate) mss: Option<u16>,
    pub(crate) window_scale: Option<u8>,
    pub(crate) sack_permitted: bool,
    pub(crate) timestamps: Option<Timestamps>,
    pub(crate) sack: SackBlocks,
}

fn be32(bytes: &[u8]) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[..4]);
    u32::from_be_bytes(word)
}

impl TcpOptions {
    /// Reads options. An option with a length that cannot be ends the list, as nothing after it can
    /// be found (RFC 9293 MUST-7); what was read before it counts.
    #[inline]
    pub(crate) fn parse(options: &[u8]) -> Self {
        // What nearly all segments carry (RFC 7323 appendix A).
        if let [NOP, NOP, TIMESTAMPS, 10, rest @ ..] = options
            && rest.len() == 8
        {
            let timestamps = Timestamps {
                val: be32(rest),
                ecr: be32(&rest[4..]),
            };
            return Self {
                timestamps: Some(timestamps),
                ..Self::default()
            };
        }
        Self::parse_any(options)
    }

    fn parse_any(mut options: &[u8]) -> Self {
        let mut parsed = Self::default();
        while let [kind, rest @ ..] = options {
            match *kind {
                END => break,
                NOP => options = rest,
                kind => {
                    let Some(length) = rest.first().map(|&length| usize::from(length)) else {
                        break;
                    };
                    if length < 2 || length > options.len() {
                        break;
                    }
                    parsed.take(kind, &options[2..length]);
                    options = &options[length..];
                }
            }
        }
        parsed
    }

    /// Takes one option; a wrong length for its kind makes it an unknown one.
    fn take(&mut self, kind: u8, value: &[u8]) {
        match (kind, value.len()) {
            (MSS, 2) => self.mss = Some(u16::from_be_bytes([value[0], value[1]])),
            // RFC 7323 §2.3: a larger shift counts as 14.
            (WINDOW_SCALE, 1) => self.window_scale = Some(value[0].min(MAX_WINDOW_SCALE)),
            (SACK_PERMITTED, 0) => self.sack_permitted = true,
            (TIMESTAMPS, 8) => {
                self.timestamps = Some(Timestamps {
                    val: be32(value),
                    ecr: be32(&value[4..]),
                })
            }
            (SACK, length) if length % 8 == 0 => {
                for block in value.chunks_exact(8) {
                    self.sack.push((Seq(be32(block)), Seq(be32(&block[4..]))));
                }
            }
            _ => {}
        }
    }

    /// Octets that [`TcpOptions::write`] writes: a multiple of four, at most 40.
    #[inline]
    pub(super) fn encoded_len(&self) -> usize {
        let mut len = 0;
        if self.timestamps.is_some() {
            len += TIMESTAMPS_LEN;
        }
        if self.mss.is_some() {
            len += 4;
        }
        if self.window_scale.is_some() {
            len += 4;
        }
        if self.sack_permitted {
            len += 4;
        }
        if !self.sack.is_empty() {
            len += 4 + 8 * self.sack.as_slice().len();
        }
        len
    }

    /// Writes the options to the start of `to`, which holds at least [`TcpOptions::encoded_len`].
    #[inline]
    pub(crate) fn write(&self, to: &mut [u8]) {
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            to[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        if let Some(mss) = self.mss {
            let [high, low] = mss.to_be_bytes();
            put(&[MSS, 4, high, low]);
        }
        if self.sack_permitted {
            put(&[NOP, NOP, SACK_PERMITTED, 2]);
        }
        if let Some(timestamps) = self.timestamps {
            let mut option = [NOP, NOP, TIMESTAMPS, 10, 0, 0, 0, 0, 0, 0, 0, 0];
            option[4..8].copy_from_slice(&timestamps.val.to_be_bytes());
            option[8..].copy_from_slice(&timestamps.ecr.to_be_bytes());
            put(&option);
        }
        if let Some(shift) = self.window_scale {
            put(&[NOP, WINDOW_SCALE, 3, shift]);
        }
        if !self.sack.is_empty() {
            put(&[NOP, NOP, SACK, 2 + 8 * self.sack.len]);
            for (start, end) in self.sack.as_slice() {
                put(&start.0.to_be_bytes());
                put(&end.0.to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests;
