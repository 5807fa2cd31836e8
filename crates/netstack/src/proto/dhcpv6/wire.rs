//! The layout of DHCPv6 messages and of their options (RFC 8415 §8, §21).
//!
//! Nothing here is certain of what it reads: a length bounds its own option and no other, and an option that does not
//! fit what holds it ends that.

/// Option codes (RFC 8415 §21; RFC 3646, RFC 4075, RFC 5908).
pub(super) mod code {
    pub(crate) const CLIENT_ID: u16 = 1;
    pub(crate) const SERVER_ID: u16 = 2;
    pub(crate) const IA_NA: u16 = 3;
    pub(crate) const IA_ADDRESS: u16 = 5;
    pub(crate) const OPTION_REQUEST: u16 = 6;
    pub(crate) const PREFERENCE: u16 = 7;
    pub(crate) const ELAPSED_TIME: u16 = 8;
    pub(crate) const STATUS_CODE: u16 = 13;
    pub(crate) const RAPID_COMMIT: u16 = 14;
    pub(crate) const DNS_SERVERS: u16 = 23;
    pub(crate) const DOMAIN_LIST: u16 = 24;
    pub(crate) const SNTP_SERVERS: u16 = 31;
    pub(crate) const INFORMATION_REFRESH_TIME: u16 = 32;
    pub(crate) const NTP_SERVER: u16 = 56;
    pub(crate) const SOL_MAX_RT: u16 = 82;
    pub(crate) const INF_MAX_RT: u16 = 83;
}

/// The options behind a header or within an option, in their order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (code, rest) = word(core::mem::take(&mut self.0))?;
        let (length, rest) = word(rest)?;
        let (value, rest) = rest.split_at_checked(length.into())?;
        self.0 = rest;
        Some((code, value))
    }
}

impl<'a> Options<'a> {
    /// The value of the first option `code`.
    pub(super) fn value(mut self, code: u16) -> Option<&'a [u8]> {
        self.find_map(|(other, value)| (other == code).then_some(value))
    }
}

fn word(octets: &[u8]) -> Option<(u16, &[u8])> {
    let (word, rest) = octets.split_first_chunk()?;
    Some((u16::from_be_bytes(*word), rest))
}

/// A message that is being written, or an option that holds options.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// A message of this type and transaction, of which 24 bits are taken.
    pub(super) fn message(kind: u8, xid: u32) -> Self {
        let [_, xid @ ..] = xid.to_be_bytes();
        let mut octets = Vec::with_capacity(128);
        octets.push(kind);
        octets.extend(xid);
        Self(octets)
    }

    /// What is in front of the options within one.
    pub(super) fn option_with(head: &[u8]) -> Self {
        Self(head.to_vec())
    }

    /// Adds an option, of whose value no more is taken than fits one.
    pub(super) fn option(&mut self, code: u16, value: &[u8]) {
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        self.0.extend(code.to_be_bytes());
        self.0.extend((value.len() as u16).to_be_bytes());
        self.0.extend(value);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}
