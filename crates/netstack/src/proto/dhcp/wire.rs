//! The layout of DHCP messages (RFC 2131 §2) and of their options (RFC 2132 §2).
//!
//! Nothing here is certain of what it reads: a length bounds its own option and no other, and an
//! option that does not fit its field ends that field.

use core::net::Ipv4Addr;

use crate::proto::link::ethernet::MacAddr;

// Offsets of fields, in octets.
const XID: usize = 4;
const YIADDR: usize = 16;
const CHADDR: usize = 28;
const SNAME: usize = 44;
const FILE: usize = 108;
const COOKIE: usize = 236;
const OPTIONS: usize = 240;

const BOOT_REQUEST: u8 = 1;
const BOOT_REPLY: u8 = 2;
/// Ethernet, in `htype`.
const ETHERNET: u8 = 1;
/// What tells options from what vendors kept there before (RFC 2132 §2).
const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];
/// A shorter message may be dropped on its way (RFC 1542 §2.1).
const LEAST_MESSAGE: usize = 300;

/// Option codes (RFC 2132; 121: RFC 3442).
pub(super) mod code {
    pub(crate) const PAD: u8 = 0;
    pub(crate) const SUBNET_MASK: u8 = 1;
    pub(crate) const ROUTER: u8 = 3;
    pub(crate) const DOMAIN_NAME_SERVER: u8 = 6;
    pub(crate) const DOMAIN_NAME: u8 = 15;
    pub(crate) const INTERFACE_MTU: u8 = 26;
    pub(crate) const NTP_SERVERS: u8 = 42;
    pub(crate) const REQUESTED_ADDRESS: u8 = 50;
    pub(crate) const LEASE_TIME: u8 = 51;
    pub(crate) const OVERLOAD: u8 = 52;
    pub(crate) const MESSAGE_TYPE: u8 = 53;
    pub(crate) const SERVER_IDENTIFIER: u8 = 54;
    pub(crate) const PARAMETER_REQUEST_LIST: u8 = 55;
    pub(crate) const MAX_MESSAGE_SIZE: u8 = 57;
    pub(crate) const RENEWAL_TIME: u8 = 58;
    pub(crate) const REBINDING_TIME: u8 = 59;
    pub(crate) const CLIENT_IDENTIFIER: u8 = 61;
    pub(crate) const CLASSLESS_ROUTES: u8 = 121;
    pub(crate) const END: u8 = 255;
}

/// An answer of a server that is for us.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    /// `yiaddr`.
    pub(super) address: Ipv4Addr,
    /// The field `options`, and those that it says hold more, in the order in which they count
    /// (RFC 3396 §5).
    fields: [&'a [u8]; 3],
}

impl<'a> Answer<'a> {
    /// Looks whether `payload` is an answer to `mac` in the exchange `xid`, before anything else of
    /// it is read.
    pub(super) fn parse(payload: &'a [u8], mac: MacAddr, xid: u32) -> Option<Self> {
        let (header, options) = payload.split_at_checked(OPTIONS)?;
        let ours = header[..3] == [BOOT_REPLY, ETHERNET, 6]
            && header[XID..][..4] == xid.to_be_bytes()
            && header[CHADDR..][..6] == mac.0
            && header[COOKIE..] == MAGIC_COOKIE;
        if !ours {
            return None;
        }
        let address: [u8; 4] = *header[YIADDR..].first_chunk()?;
        let overload = Options(options).find_map(|(code, value)| match (code, value) {
            (code::OVERLOAD, [fields @ 1..=3]) => Some(*fields),
            _ => None,
        });
        let (sname, file) = (&header[SNAME..FILE], &header[FILE..COOKIE]);
        let fields = match overload {
            None => [options, &[], &[]],
            Some(1) => [options, file, &[]],
            Some(2) => [options, &[], sname],
            Some(_) => [options, file, sname],
        };
        Some(Self {
            address: address.into(),
            fields,
        })
    }

    /// All options in their order, each with what its length says is its value.
    pub(super) fn options(&self) -> impl Iterator<Item = (u8, &'a [u8])> {
        self.fields.into_iter().flat_map(Options)
    }
}

/// The options of one field.
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = core::mem::take(&mut self.0);
        let start = rest.iter().position(|octet| *octet != code::PAD)?;
        let (&code, rest) = rest[start..].split_first()?;
        if code == code::END {
            return None;
        }
        let (&len, rest) = rest.split_first()?;
        let (value, rest) = rest.split_at_checked(len.into())?;
        self.0 = rest;
        Some((code, value))
    }
}

/// A message from us that is being written.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// A message without options; `client` is `ciaddr`.
    pub(super) fn new(mac: MacAddr, xid: u32, seconds: u16, client: Ipv4Addr) -> Self {
        let mut message = Vec::with_capacity(LEAST_MESSAGE);
        message.extend([BOOT_REQUEST, ETHERNET, mac.0.len() as u8, 0]);
        message.extend(xid.to_be_bytes());
        message.extend(seconds.to_be_bytes());
        // No flags: a unicast answer reaches us before we have an address.
        message.extend([0; 2]);
        message.extend(client.octets());
        message.resize(CHADDR, 0);
        message.extend(mac.0);
        message.resize(COOKIE, 0);
        message.extend(MAGIC_COOKIE);
        Self(message)
    }

    /// Adds an option, of whose value no more is taken than fits one.
    pub(super) fn option(&mut self, code: u8, value: &[u8]) {
        let value = &value[..value.len().min(usize::from(u8::MAX))];
        self.0.extend([code, value.len() as u8]);
        self.0.extend(value);
    }

    /// The whole message.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.push(code::END);
        self.0.resize(self.0.len().max(LEAST_MESSAGE), code::PAD);
        self.0
    }
}
