//! The chain of extension headers (RFC 8200 §4), as far as a host acts upon it.

use super::{FRAGMENT_LEN, FragmentHeader, HEADER_LEN, protocol};

/// Extension headers in one packet, at most: none that is honest has more than one of each (RFC 8200
/// §4.1), and a longer chain only costs (RFC 8504 §5.3).
pub const MAX_EXTENSIONS: usize = 8;
/// Options in one header, padding included, at most (RFC 8504 §5.3).
const MAX_OPTIONS: usize = 16;

/// Padding of one octet, and of more.
const PAD1: u8 = 0;

/// Why a packet is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is dropped without a word.
    Silent,
    /// Its sender is told (RFC 4443 §3.4): the code of the parameter problem, and the octet of the packet
    /// that has it.
    Problem(u8, usize),
    /// As [`Refusal::Problem`] with code 2, also when it was sent to many (RFC 8200 §4.2).
    ProblemToAll(usize),
}

/// The code of an erroneous header field.
const ERRONEOUS: u8 = 0;
/// The code of a next header that is not known.
const UNKNOWN_HEADER: u8 = 1;
/// The code of an option that is not known.
const UNKNOWN_OPTION: u8 = 2;
/// The code of a first fragment that lacks headers (RFC 7112 §5).
const INCOMPLETE_CHAIN: u8 = 3;

/// Where the walk along a chain has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A protocol of an upper layer: its number, and where it begins in the packet.
    Upper(u8, usize),
    /// A part of a larger packet: what its header says, and where what follows that begins.
    Fragment(FragmentHeader, usize),
}

/// A walk along the headers of one packet.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    next_header: u8,
    /// Where the octet with that number is, and where the header itself.
    pointer: usize,
    at: usize,
    left: usize,
    /// A fragment header was among them, were it of the whole packet (RFC 6946).
    fragmented: bool,
}

impl Chain {
    /// Begins behind the IPv6 header.
    #[inline]
    #[must_use]
    pub fn new(next_header: u8) -> Self {
        Self {
            next_header,
            pointer: 6,
            at: HEADER_LEN,
            left: MAX_EXTENSIONS,
            fragmented: false,
        }
    }

    /// The same, for what was put together of fragments.
    #[must_use]
    pub fn reassembled(next_header: u8) -> Self {
        Self {
            fragmented: true,
            ..Self::new(next_header)
        }
    }

    /// Whether there was a fragment header (RFC 6980 §5).
    #[must_use]
    pub fn is_fragmented(&self) -> bool {
        self.fragmented
    }

    /// The octet of the packet that names what was found last, for an error about it.
    #[must_use]
    pub fn pointer(&self) -> usize {
        self.pointer
    }

    /// Walks to the next protocol or fragment; `packet` is the whole packet.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    #[inline]
    pub fn walk(&mut self, packet: &[u8]) -> Result<Step, Refusal> {
        match self.next_header {
            protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::FRAGMENT
            | protocol::DESTINATION
            | protocol::NO_NEXT => self.walk_extensions(packet),
            upper => Ok(Step::Upper(upper, self.at)),
        }
    }

    fn walk_extensions(&mut self, packet: &[u8]) -> Result<Step, Refusal> {
        loop {
            match self.next_header {
                // RFC 8200 §4.3: right behind the IPv6 header only.
                protocol::HOP_BY_HOP if self.at == HEADER_LEN && !self.fragmented => {
                    self.options(packet)?;
                }
                protocol::HOP_BY_HOP => {
                    return Err(Refusal::Problem(UNKNOWN_HEADER, self.pointer));
                }
                protocol::DESTINATION => self.options(packet)?,
                protocol::ROUTING => self.routing(packet)?,
                // RFC 8200 §4.1: one at most. Those within what was put together of others would have one
                // packet end many.
                protocol::FRAGMENT if self.fragmented => return Err(Refusal::Silent),
                protocol::FRAGMENT => {
                    if let Some(step) = self.fragment(packet)? {
                        return Ok(step);
                    }
                }
                protocol::NO_NEXT => return Err(Refusal::Silent),
                upper => return Ok(Step::Upper(upper, self.at)),
            }
        }
    }

    /// Steps over the header of `len` octets, whose first names the next.
    fn step(&mut self, packet: &[u8], len: usize) -> Result<(), Refusal> {
        self.left = self.left.checked_sub(1).ok_or(Refusal::Silent)?;
        self.next_header = *packet.get(self.at).ok_or(Refusal::Silent)?;
        self.pointer = self.at;
        self.at += len;
        Ok(())
    }

    /// A header whose second octet says its length in units of eight octets without the first.
    fn measured<'a>(&self, packet: &'a [u8]) -> Result<&'a [u8], Refusal> {
        let units = packet.get(self.at + 1).ok_or(Refusal::Silent)?;
        let end = self.at + 8 * (usize::from(*units) + 1);
        packet.get(self.at..end).ok_or(Refusal::Silent)
    }

    /// Options (RFC 8200 §4.2): none that has to be known is known but padding. Router Alert (RFC 2711)
    /// is to be passed over.
    fn options(&mut self, packet: &[u8]) -> Result<(), Refusal> {
        let header = self.measured(packet)?;
        let mut at = 2;
        for _ in 0..MAX_OPTIONS {
            let Some(&kind) = header.get(at) else {
                return self.step(packet, header.len());
            };
            if kind == PAD1 {
                at += 1;
                continue;
            }
            let len = *header.get(at + 1).ok_or(Refusal::Silent)?;
            let end = at + 2 + usize::from(len);
            if end > header.len() {
                return Err(Refusal::Silent);
            }
            match kind >> 6 {
                0 => {}
                1 => return Err(Refusal::Silent),
                2 => return Err(Refusal::ProblemToAll(self.at + at)),
                _ => return Err(Refusal::Problem(UNKNOWN_OPTION, self.at + at)),
            }
            at = end;
        }
        match at >= header.len() {
            true => self.step(packet, header.len()),
            false => Err(Refusal::Silent),
        }
    }

    /// A routing header (RFC 8200 §4.4): no type is known. Type 0 is not either (RFC 5095 §3).
    fn routing(&mut self, packet: &[u8]) -> Result<(), Refusal> {
        let header = self.measured(packet)?;
        match header[3] {
            0 => self.step(packet, header.len()),
            _ => Err(Refusal::Problem(ERRONEOUS, self.at + 2)),
        }
    }

    /// A fragment header; nothing to stop at where it is of the whole packet (RFC 6946 §4).
    fn fragment(&mut self, packet: &[u8]) -> Result<Option<Step>, Refusal> {
        let header = packet.get(self.at..).ok_or(Refusal::Silent)?;
        let header = FragmentHeader::parse(header).ok_or(Refusal::Silent)?;
        let at = self.at;
        self.step(packet, FRAGMENT_LEN)?;
        self.fragmented = true;
        if header.is_atomic() {
            return Ok(None);
        }
        let payload = packet.len() - self.at;
        if header.more && !payload.is_multiple_of(8) {
            // RFC 8200 §4.5: the payload length is wrong.
            return Err(Refusal::Problem(ERRONEOUS, 4));
        }
        if header.offset + payload > usize::from(u16::MAX) {
            return Err(Refusal::Problem(ERRONEOUS, at + 2));
        }
        if payload == 0 {
            return Err(Refusal::Silent);
        }
        if header.offset == 0 && !self.holds_chain(packet) {
            return Err(Refusal::Problem(INCOMPLETE_CHAIN, 0));
        }
        Ok(Some(Step::Fragment(header, self.at)))
    }

    /// Whether the first fragment has all headers, that of the upper layer included (RFC 7112 §5). What
    /// is wrong with them is seen when the packet is whole.
    fn holds_chain(self, packet: &[u8]) -> bool {
        match self.skip(packet) {
            Some((protocol::NO_NEXT, _)) => true,
            Some((upper, at)) => packet.len() - at >= least_header(upper),
            None => false,
        }
    }

    /// Walks to the upper layer, whatever options say; `None` where the packet does not reach to it.
    fn skip(mut self, packet: &[u8]) -> Option<(u8, usize)> {
        loop {
            let len = match self.next_header {
                protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION => {
                    self.measured(packet).ok()?.len()
                }
                protocol::FRAGMENT => {
                    let header = FragmentHeader::parse(packet.get(self.at..)?)?;
                    // What follows is not the start of anything.
                    (header.offset == 0).then_some(FRAGMENT_LEN)?
                }
                upper => return Some((upper, self.at)),
            };
            self.step(packet, len).ok()?;
        }
    }
}

/// The protocol of the upper layer of a packet, and where that begins; `None` where the packet, which has an
/// IPv6 header, does not reach to it.
#[must_use]
pub fn upper_layer(packet: &[u8]) -> Option<(u8, usize)> {
    Chain::new(*packet.get(6)?).skip(packet)
}

/// Octets of the shortest header of an upper layer.
fn least_header(upper: u8) -> usize {
    use crate::proto::ip::v4::protocol::{TCP, UDP};
    match upper {
        TCP => 20,
        UDP | protocol::ICMP => 8,
        _ => 1,
    }
}
